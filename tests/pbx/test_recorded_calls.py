"""The call that a recording or a voicemail is of, at the door: its thread, its parties."""

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from appliance import Appliance
from media.sounds import speech, wav

from webhooks.pbx.asterisk.book import thread_id
from webhooks.services.pbx import source_of

SOUND = wav(8000, [speech(8000, 1.5)])
LINKEDID = "1732551230.55"
CALL: dict[str, Any] = {
    "to": "5010",
    "to_name": "Dade Murphy",
    "from": "+12025550123",
    "from_name": "Clearly IP",
}


def upload(appliance: Appliance, token: str, **fields: Any) -> dict[str, Any]:
    """Upload a recording. Returns the event as it is stored."""
    answer = appliance.post(
        "/api/media", headers={"Authorization": f"Bearer {token}"},
        files={"event": (None, json.dumps(fields), "application/json"), "file": ("audio", SOUND)},
    )  # fmt: skip
    assert answer.status_code == 202, answer.text
    (row,) = appliance.rows("SELECT body FROM event WHERE message_id = :id", id=answer.json()["id"])
    stored: dict[str, Any] = json.loads(row.body)
    return stored


def connect(appliance: Appliance, name: str) -> str:
    """Connect a location to a phone system that is not there. Returns the source of its calls' ids."""
    appliance.invoke(
        "pbx", "connect", name, "asterisk", "--host", "127.0.0.1", "--port", 1, "--user", "spoke",
        input="a-secret\n",
    )  # fmt: skip
    location_id = appliance.location_id(name)
    (row,) = appliance.rows("SELECT id FROM pbx_connection WHERE location_id = :id", id=location_id)
    return source_of(location_id, row.id)


def recording(appliance: Appliance, token: str, **fields: Any) -> dict[str, Any]:
    given = {"uniqueid": "1732551234.57", "linkedid": LINKEDID, **fields}
    return upload(appliance, token, type="call_recording", **given)


def parties(event: dict[str, Any]) -> dict[str, Any]:
    return {name: event[name] for name in CALL}


def test_a_recording_has_the_thread_of_its_call_before_its_events_and_after_them(
    appliance: Appliance, place: tuple[str, str]
) -> None:
    thread = str(thread_id(connect(appliance, place[0]), LINKEDID))
    name = "in-5010-+12025550123-20241125-161354-1732551234.57.wav"
    early = recording(appliance, place[1], filename=name)
    assert early["thread_id"] == thread  # and the parties that its name tells
    assert parties(early) == {"to": "5010", "from": "+12025550123", "to_name": "", "from_name": ""}
    appliance.ring(place[1], thread_id=thread, **{**CALL, "to": "600", "to_name": ""})
    appliance.event(
        place[1], thread_id=thread, type="incoming_call", subtype="answered", **CALL
    ).raise_for_status()
    late = recording(appliance, place[1], filename=name)
    assert late["thread_id"] == thread and parties(late) == CALL
    assert (late["uniqueid"], late["linkedid"]) == ("1732551234.57", LINKEDID)


def test_what_a_recording_says_itself_stays(appliance: Appliance, place: tuple[str, str]) -> None:
    thread = str(thread_id(connect(appliance, place[0]), LINKEDID))
    appliance.ring(place[1], thread_id=thread, **CALL)
    assert parties(recording(appliance, place[1], to="5019", to_name=None)) == {**CALL, "to": "5019"}
    own = recording(appliance, place[1], thread_id="mine")
    assert own["thread_id"] == "mine" and own["from"] == ""


def test_a_site_whose_events_bear_asterisks_own_ids_needs_no_connection(
    appliance: Appliance, place: tuple[str, str]
) -> None:
    assert recording(appliance, place[1])["thread_id"] == LINKEDID
    appliance.ring(place[1], thread_id="1732551234.57", **CALL)  # the dialplan's recipe tells by UNIQUEID
    told = recording(appliance, place[1])
    assert told["thread_id"] == "1732551234.57" and parties(told) == CALL


def test_a_call_of_another_location_is_never_it(appliance: Appliance, place: tuple[str, str]) -> None:
    other = appliance.location(f"{place[0]} annex")
    appliance.ring(other, thread_id="1732551234.57", **CALL)
    told = recording(appliance, place[1])
    assert told["thread_id"] == LINKEDID and told["from"] == ""


def voicemail(appliance: Appliance, token: str, at: float, **fields: Any) -> dict[str, Any]:
    given = {"from": CALL["from"], "to": "5010", "mailbox": "5010@default", "duration_seconds": 3, **fields}
    return upload(appliance, token, type="voicemail", timestamp=at, **given)


def ring(
    appliance: Appliance, token: str, thread: str, at: float, status: str = "ringing", **more: str
) -> None:
    moment = datetime.fromtimestamp(at, UTC).isoformat()
    told = {"thread_id": thread, "type": "incoming_call", "subtype": status, **CALL, **more}
    appliance.event(token, timestamp=moment, **told).raise_for_status()


def test_a_voicemail_has_the_thread_of_the_call_in_which_it_was_left(
    appliance: Appliance, place: tuple[str, str]
) -> None:
    now = time.time()
    ring(appliance, place[1], "before", now - 300)
    ring(appliance, place[1], "before", now - 280, "missed")
    ring(appliance, place[1], "of another", now - 20, **{"from": "+12025550124"})
    ring(appliance, place[1], "it", now - 20)
    told = voicemail(appliance, place[1], now - 10)
    assert told["thread_id"] == "it" and parties(told) == CALL
    ring(appliance, place[1], "it", now - 6, "missed")
    ring(appliance, place[1], "after", now + 30)
    assert voicemail(appliance, place[1], now - 10)["thread_id"] == "it"
    assert voicemail(appliance, place[1], now - 10, to="5011", mailbox="5011@default")["to_name"] == ""


def test_a_voicemail_of_a_withheld_number_is_found_by_its_mailbox(
    appliance: Appliance, place: tuple[str, str]
) -> None:
    now = time.time()
    ring(appliance, place[1], "withheld", now - 20, **{"from": "", "from_name": ""})
    ring(appliance, place[1], "known", now - 15)
    told = voicemail(appliance, place[1], now - 10, **{"from": ""})
    assert (told["thread_id"], told["from"]) == ("withheld", "")


@pytest.mark.parametrize(
    "fields", [{"mailbox": None}, {"mailbox": "sales@default", "from": ""}, {"duration_seconds": "x"}]
)
def test_a_voicemail_without_a_call_stands_alone(
    appliance: Appliance, place: tuple[str, str], fields: dict[str, Any]
) -> None:
    told = voicemail(appliance, place[1], time.time() - 10, **fields)
    assert told["thread_id"] == told["id"]
