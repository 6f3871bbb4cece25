"""Taking away: one call, one number, what is old, what is too much. The books stay balanced."""

import json
import socket
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from appliance import Appliance, eventually
from media import client, sounds
from receiver import Answer, Receiver

DAY = 86_400


def balance(appliance: Appliance) -> tuple[int, int]:
    """Deliveries that events were matched to, and deliveries."""
    matched, by_state = appliance.totals()
    return matched, sum(by_state.values())


def settled(appliance: Appliance) -> bool:
    return not appliance.rows("SELECT 1 FROM delivery WHERE state = 'pending'")


def test_a_call_is_erased_wholly_and_nothing_else_is(
    start_appliance: Callable[..., Appliance], receiver: Receiver
) -> None:
    receiver.answers["/calls"] = [Answer(body=b"thanks, +19203833100")]
    one = start_appliance()
    token = one.location("Office")
    one.webhook("Office", receiver.url("/media"), "media")
    one.webhook("Office", receiver.url("/calls"))
    held = one.webhook("Office", receiver.url("/held"), "media")
    one.cli("webhook", "pause", held["id"])
    voice = sounds.long_wav(1)
    for thread in ("A", "B"):
        client.send(one, token, voice, thread_id=thread)
        one.event(token, type="incoming_call", subtype="ended", thread_id=thread)
    links = {got.json["thread_id"]: got.json["attachments"] for got in receiver.wait("/media", 2)}
    receiver.wait("/calls", 2)
    eventually(lambda: settled(one))
    counts = one.cli("erase", "--thread", "A", "--yes")
    assert counts == {"events": 2, "deliveries": 3, "attempts": 2, "media": 1}
    assert client.fetch(one, links["A"]).status_code == 404
    assert client.fetch(one, links["B"]).status_code == 200
    assert [row.thread_key for row in one.rows("SELECT DISTINCT thread_key FROM event")] == ["B"]
    assert [row.thread_key for row in one.rows("SELECT DISTINCT thread_key FROM delivery")] == ["B"]
    assert one.rows("SELECT count(*) AS n FROM attempt")[0].n == 2
    assert len(client.files(one)) == 1 and balance(one) == (6, 6)
    dropped = one.rows("SELECT n FROM tally WHERE state = 'dropped'")
    assert [row.n for row in dropped] == [1]  # what was held
    for unknown in ("A", "a", "B "):  # gone, or not the whole of an id
        assert "No event has" in one.cli("erase", "--thread", unknown, "--yes", status=1)
    assert len(one.rows("SELECT 1 FROM erasure")) == 1


def test_a_number_is_erased_however_it_is_written(
    start_appliance: Callable[..., Appliance], receiver: Receiver
) -> None:
    one = start_appliance()
    token = one.location("Office")
    one.webhook("Office", receiver.url("/calls"))
    gone = [
        "+1 (920) 383-3100", "19203833100", "0019203833100", "sip:19203833100@pbx", "Mrs 19203833100",
        '"Anna Muster" <+19203833100>', "tel:+1-920-383-3100;ext=12", "19203833100 (mobile)",
        "sip:+19203833100@pbx;user=phone", "１９２０３８３３１００",
    ]  # fmt: skip
    kept = ["9203833100", "+191203833100", "Mrs 9203833100", "x19203833100", ""]
    events = [
        {"type": "incoming_call", "subtype": "ringing", side: number, "thread_id": str(uuid.uuid4())}
        for number in gone + kept
        for side in ("from", "to")
    ]
    headers = {"Authorization": f"Bearer {token}"}
    many = [{"type": "incoming_call", "subtype": "ringing", "from": f"5{n}"} for n in range(1000)]
    for batch in (many, events, many[:400]):
        assert one.post("/api/events", json=batch, headers=headers).status_code == 202
    receiver.wait("/calls", 1430, seconds=60)
    eventually(lambda: settled(one))
    asked = one.invoke("erase", "--number", "+1 920 383 3100", input="n\n")
    assert asked.exit_code == 1 and "Nothing was erased." in asked.stderr
    for told in (
        "19203833100: 20 events, written ",
        *gone,
        "9203833100: 4 events, written ",
        "Mrs 9203833100",
    ):
        assert told in asked.stderr, told
    cut = one.invoke("erase", "--number", "3833100", "--yes")
    assert cut.exit_code == 1 and "No event has" in cut.stderr and "19203833100: 20 events" in cut.stderr
    assert not one.rows("SELECT 1 FROM erasure")
    result = one.invoke("erase", "--number", "+1 920 383 3100", input="y\n")
    assert result.exit_code == 0 and "Erased: 20 events, 20 deliveries with 20 attempts" in result.stdout
    left = [json.loads(row.body) for row in one.rows("SELECT body FROM event")]
    numbers = [event["from"] or event["to"] for event in left]
    assert sorted(number for number in numbers if "3833100" in number) == sorted(
        [one for one in kept if one] * 2
    )
    assert len({*balance(one)}) == 1
    assert "19203833100" not in one.log
    assert one.cli("erase", "--number", "mrs 9203833100", "--yes")["events"] == 4
    found = one.rows("SELECT count(*) AS n FROM event_number WHERE event_id NOT IN (SELECT id FROM event)")
    assert found[0].n == 0
    assert one.invoke("erase").exit_code == 2
    for wrong in (" ", "4711 & 4712"):
        assert one.invoke("erase", "--number", wrong, "--yes").exit_code == 1


def test_what_is_on_its_way_is_waited_for(
    start_appliance: Callable[..., Appliance], receiver: Receiver
) -> None:
    receiver.answers["/slow"] = [Answer(seconds=3)]
    one = start_appliance()
    token = one.location("Office")
    one.webhook("Office", receiver.url("/slow"), "media")
    client.send(one, token, sounds.long_wav(1), thread_id="A")
    receiver.wait("/slow")
    counts = one.cli("erase", "--thread", "A", "--yes")
    assert counts["events"] == counts["deliveries"] == counts["attempts"] == 1
    assert one.rows("SELECT state, n FROM tally WHERE state <> 'matched'") == [("delivered", 1)]
    assert client.files(one) == []


def test_several_processes_at_one_erasure_count_each_event_once(
    start_appliance: Callable[..., Appliance], receiver: Receiver
) -> None:
    """The command, the page's housekeeping and those of other machines may take turns at it."""
    one = start_appliance()
    token = one.location("Office")
    one.webhook("Office", receiver.url("/calls"))
    events = [{"type": "incoming_call", "subtype": "ringing", "from": "4711"} for _ in range(900)]
    headers = {"Authorization": f"Bearer {token}"}
    assert one.post("/api/events", json=events, headers=headers).status_code == 202
    receiver.wait("/calls", 900, seconds=60)
    eventually(lambda: settled(one))
    erasures = one.app.extensions["spoke"].erasures
    number = erasures.begin(number="4711").id

    def work() -> None:
        while erasures.step(number).job.state == "running":
            pass

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done = erasures.get(number)
    assert (done.state, done.events, done.deliveries, done.attempts) == ("done", 900, 900, 900)
    assert balance(one) == (900, 900)
    assert not one.rows("SELECT 1 FROM event")


@pytest.mark.databases("one")
def test_what_is_being_converted_can_be_erased(
    start_appliance: Callable[..., Appliance], receiver: Receiver
) -> None:
    one = start_appliance()
    token = one.location("Office")
    one.webhook("Office", receiver.url("/media"), "media")
    client.send(one, token, sounds.long_wav(240), thread_id="A")
    eventually(lambda: any(name.endswith(".part") for name in client.files(one)))
    assert one.cli("erase", "--thread", "A", "--yes")["media"] == 1
    eventually(lambda: client.files(one) == [], 30)
    assert not receiver.at("/media") and "Traceback" not in one.log


def test_age_takes_recordings_with_their_events(
    start_appliance: Callable[..., Appliance], clock: dict[str, str], tmp_path: Path, receiver: Receiver
) -> None:
    one = start_appliance(SPOKE_RETRY_SCHEDULE="1", **clock)
    token = one.location("Office")
    one.webhook("Office", receiver.url("/media"), "media")
    client.send(one, token, sounds.long_wav(1))
    receiver.wait("/media")
    eventually(lambda: settled(one))
    one.stop()
    (tmp_path / "clock").write_text(str(32 * DAY))
    one.start()
    eventually(lambda: not one.rows("SELECT 1 FROM event"), 15)
    eventually(lambda: client.files(one) == [])
    assert not one.rows("SELECT 1 FROM media") and balance(one) == (1, 1)


def test_size_takes_the_oldest_that_are_delivered_and_the_events_say_so(
    start_appliance: Callable[..., Appliance], receiver: Receiver
) -> None:
    receiver.answers["/never"] = [500]
    one = start_appliance(SPOKE_MAX_MEDIA_TOTAL=str(1 << 20), SPOKE_RETRY_SCHEDULE="3600")
    token = one.location("Office")
    webhook = one.webhook("Office", receiver.url("/media"), "media", type="voicemail")
    one.webhook("Office", receiver.url("/never"), "media", type="call_recording")
    voice = b"".join(sounds.long_mp3(300_000))
    kinds = ["call_recording", *["voicemail"] * 5]
    sent = [client.send(one, token, voice, type=kind).json()["media_id"] for kind in kinds]
    receiver.wait("/media", 5, seconds=120)
    receiver.wait("/never", 1, seconds=60)
    eventually(lambda: len(one.rows("SELECT 1 FROM delivery WHERE state = 'delivered'")) == 5, 30)
    one.cli("media", "sweep")
    states = {row.id: row.state for row in one.rows("SELECT id, state FROM media")}
    assert [states[one_] for one_ in sent] == ["ready", "erased", "erased", "erased", "ready", "ready"]
    assert len(client.files(one)) == 3
    (first, *_) = [
        row.id for row in one.rows("SELECT id FROM delivery WHERE state = 'delivered' ORDER BY id")
    ]
    one.cli("delivery", "resend", first)
    again = receiver.wait("/media", 6, seconds=30)[5].json
    assert again["attachments"] is None and "SPOKE_MAX_MEDIA_TOTAL" in again["error"]
    assert "SPOKE_MAX_MEDIA_TOTAL" in one.cli("media", "link", sent[1], status=1)
    assert webhook


def test_files_that_nobody_owns_go_and_those_in_work_stay(
    start_appliance: Callable[..., Appliance], receiver: Receiver
) -> None:
    one = start_appliance()
    token = one.location("Office")
    client.send(one, token, sounds.long_wav(1))
    eventually(lambda: [row.state for row in one.rows("SELECT state FROM media")] == ["ready"])
    media = one.folder / "data" / "media"
    one_id = str(uuid.uuid4())
    names = (f"incoming/{one_id}", f"incoming/{one_id}.part", f"waiting/{one_id}", f"mp3/aa/{one_id}.mp3")
    lost = [media / name for name in names]
    for path in lost:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    head = b"POST /api/media HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + token.encode()
    head += b"\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000000\r\n\r\n--b\r\n"
    with socket.create_connection(("127.0.0.1", one.port)) as half:
        half.sendall(head + b'Content-Disposition: form-data; name="file"\r\n\r\n' + b"x" * 1000)
        # The housekeeping's own sweep, soon after a start, may have taken those of nobody by now.
        eventually(
            lambda: any(part.startswith("incoming/") and one_id not in part for part in client.files(one))
        )
        one.cli("media", "sweep")
        left = client.files(one)
        assert not any(path.exists() for path in lost)
        assert [name.partition("/")[0] for name in left] == ["incoming", "mp3"]
    eventually(lambda: len(client.files(one)) == 1)  # who hung up leaves nothing


def test_an_erasure_beside_a_busy_hook_holds_nobody_up(
    start_appliance: Callable[..., Appliance],
) -> None:
    one = start_appliance()
    token = one.location("Office")
    headers = {"Authorization": f"Bearer {token}"}
    batch = [{"type": "incoming_call", "subtype": "ringing", "from": "777"} for _ in range(1000)]
    for _ in range(3):
        one.post("/api/events", json=batch, headers=headers)
    slowest, first = 0.0, time.monotonic()
    thread = threading.Thread(target=lambda: one.cli("erase", "--number", "777", "--yes"))
    thread.start()
    while thread.is_alive():
        began = time.monotonic()
        assert one.event(token, type="incoming_call", subtype="ended").status_code == 202
        slowest = max(slowest, time.monotonic() - began)
    # On a busy machine all of it takes longer; nobody waits for most of the erasure.
    assert slowest < max(1.0, (time.monotonic() - first) / 2)
    assert not one.rows("SELECT 1 FROM event WHERE subtype = 'ringing'")
