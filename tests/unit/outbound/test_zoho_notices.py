"""Single notices to Zoho: times, lengths, recordings, users, and what is too late."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from requests import Request

from webhooks.outbound.zoho_notices import Told, Wishes, is_too_late, notice

BEGAN = datetime(2026, 11, 28, 9, 30, tzinfo=UTC)
WISHES = Wishes({"5010": "z10", "5011": "z11"})
OUT: dict[str, Any] = {"from": "5011", "to": "+4930123456"}
LINK = "https://spoke.example/api/media/download/1?expires=2&signature=a+b"


def told(type_: str, subtype: str = "", after_s: float = 0, **more: Any) -> Told:
    at = BEGAN + timedelta(seconds=after_s)
    fields = {
        "thread_id": "call 1", "from": "+19203833100", "to": "5010", "type": type_,
        "timestamp": at.isoformat(),
    }  # fmt: skip
    if subtype:
        fields["subtype"] = subtype
    return Told({**fields, **more}, at)


def test_an_ended_call_has_its_begin_in_gmt_and_the_seconds_that_were_talked() -> None:
    ring, taken = told("incoming_call", "ringing"), told("incoming_call", "answered", 12)
    end = told("incoming_call", "ended", 75.4, timestamp="2026-11-28T12:31:15.4+03:00")
    assert notice(end, [ring, taken, end], None, WISHES) == {
        "type": "received", "state": "ended", "id": "call 1", "from": "+19203833100", "to": "5010",
        "zohouser": "z10", "start_time": "2026-11-28 09:30:00", "duration": "63",
    }  # fmt: skip


def test_what_the_phone_system_says_of_the_length_goes_first() -> None:
    end = told("incoming_call", "ended", 100, talk_seconds=40.6, ring_seconds=9.4)
    form = notice(end, [end], None, WISHES)
    assert (form["start_time"], form["duration"]) == ("2026-11-28 09:30:50", "41")


@pytest.mark.parametrize("length", ["nan", "inf", -3, 1e12, "soon", None, True])
def test_a_length_that_is_none_counts_as_no_time(length: object) -> None:
    end = told("incoming_call", "ended", 100, ring_seconds=length)
    assert notice(end, [end], None, WISHES)["start_time"].startswith("2026-11-28 09:31:")


def test_a_timestamp_of_the_year_1_breaks_nothing() -> None:
    end = told("incoming_call", "ended", timestamp="0001-01-01T00:00:01Z", talk_seconds=60)
    assert notice(end, [end], None, WISHES)["duration"] == "60"


@pytest.mark.parametrize(
    "status", ["missed", "busy", "not_available", "no_answer", "rejected", "blocked", "invalid"]
)
def test_a_received_call_that_nobody_took_is_missed(status: str) -> None:
    end = told("incoming_call", status)
    assert notice(end, [end], None, WISHES)["state"] == "missed"


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("busy", "busy"), ("invalid", "invalid"), ("blocked", "blocked"), ("rejected", "rejected"),
        ("not_available", "notavailable"), ("no_answer", "noanswer"), ("missed", "noanswer"),
    ],
)  # fmt: skip
def test_a_dialed_call_that_nobody_took_has_one_of_zohos_six_words(status: str, state: str) -> None:
    end = told("outgoing_call", status, **OUT)
    form = notice(end, [end], None, WISHES)
    assert (form["type"], form["state"], form["zohouser"]) == ("dialed", state, "z11")
    assert "duration" not in form


@pytest.mark.parametrize("type_", ["incoming_call", "outgoing_call"])
@pytest.mark.parametrize("status", ["missed", "busy", "no_answer"])
def test_by_the_option_such_calls_are_ended_after_no_time(type_: str, status: str) -> None:
    end = told(type_, status, talk_seconds=7)
    form = notice(end, [end], None, Wishes({}, as_ended=True))
    assert (form["state"], form["duration"]) == ("ended", "0")


def test_a_voicemail_is_the_missed_call_again_with_its_link() -> None:
    ring, end = told("incoming_call", "ringing"), told("incoming_call", "missed", 20)
    form = notice(told("voicemail", after_s=50), [ring, end], LINK, WISHES)
    assert (form["type"], form["state"], form["id"]) == ("received", "missed", "call 1")
    assert (form["start_time"], form["voiceuri"]) == ("2026-11-28 09:30:00", LINK)


def test_a_recording_is_the_ended_call_again_with_its_link() -> None:
    call = [
        told("outgoing_call", "ringing", **OUT),
        told("outgoing_call", "answered", 5, **OUT),
        told("outgoing_call", "ended", 65, **OUT),
    ]
    form = notice(told("call_recording", after_s=70, **OUT), call, LINK, WISHES)
    assert form == {
        "type": "dialed", "state": "ended", "id": "call 1", "from": "5011", "to": "+4930123456",
        "zohouser": "z11", "start_time": "2026-11-28 09:30:00", "duration": "60", "voiceuri": LINK,
    }  # fmt: skip


def test_a_recording_of_a_call_that_nobody_told_of_was_dialed_by_who_has_a_user_here() -> None:
    out = told("call_recording", **OUT)
    assert notice(out, [], LINK, WISHES)["type"] == "dialed"
    assert notice(told("call_recording"), [], LINK, WISHES)["type"] == "received"


def test_who_answered_goes_before_who_was_called() -> None:
    answered = told("incoming_call", "answered", to="600", answered_by="5011")
    assert notice(answered, [answered], None, WISHES)["zohouser"] == "z11"


def test_without_a_user_the_notice_names_none() -> None:
    ring = told("incoming_call", "ringing", to="5099")
    assert "zohouser" not in notice(ring, [ring], None, WISHES)


def test_a_plus_travels_encoded() -> None:
    ring = told("incoming_call", "ringing")
    request = Request("POST", "https://zoho.example/", data=notice(ring, [ring], None, WISHES)).prepare()
    assert "from=%2B19203833100" in str(request.body)


@pytest.mark.parametrize(
    ("subtype", "after_s", "late"),
    [("ringing", 119, False), ("ringing", 121, True), ("missed", 9999, False), ("answered", 9999, False)],
)
def test_only_ringing_is_too_late_and_only_after_two_minutes(
    subtype: str, after_s: float, late: bool
) -> None:
    assert is_too_late(told("incoming_call", subtype), BEGAN + timedelta(seconds=after_s)) is late
