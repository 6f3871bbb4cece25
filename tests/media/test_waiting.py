"""Until its MP3 is there an event waits, whatever happens; its call waits no longer than it must."""

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator

import psutil
import pytest
from appliance import Appliance, eventually
from media import client, sounds
from receiver import Receiver


def processes(appliance: Appliance, name: str) -> list[psutil.Process]:
    """Worker processes, by the names that RQ shows."""
    titles = (f"rq:worker:{name}", f"spoke: {name}")
    return [process for process in appliance.family() if process.cmdline()[0].startswith(titles)]


class Converters:
    """Both of them."""

    def __init__(self, appliance: Appliance) -> None:
        self._all = processes(appliance, "media")
        assert len(self._all) == 2

    def suspend(self) -> None:
        for process in self._all:
            process.suspend()

    def resume(self) -> None:
        for process in self._all:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()


@pytest.fixture
def stopped(
    start_appliance: Callable[..., Appliance], receiver: Receiver
) -> Iterator[tuple[Appliance, str, Converters]]:
    """An appliance whose converters stand still."""
    one = start_appliance()
    token = one.location("Office")
    process = Converters(one)
    process.suspend()
    yield one, token, process
    process.resume()


Stopped = tuple[Appliance, str, Converters]


def looked(appliance: Appliance, token: str, receiver: Receiver) -> None:
    """Wait until the dispatchers have looked what is due twice: until what came since was sent."""
    path = f"/looked/{uuid.uuid4()}"
    appliance.webhook("Office", receiver.url(path), type="outgoing_call")
    for count in (1, 2):
        appliance.ring(token, type="outgoing_call")
        receiver.wait(path, count, 30)


def pending(appliance: Appliance) -> list[tuple[str, int]]:
    """How the recordings' deliveries stand."""
    rows = appliance.rows("SELECT state, attempts FROM delivery WHERE type = 'call_recording' ORDER BY id")
    return [(row.state, row.attempts) for row in rows]


@pytest.mark.databases("one")
def test_pause_resume_and_a_restart_do_not_let_it_go_early(stopped: Stopped, receiver: Receiver) -> None:
    one, token, process = stopped
    webhook = one.webhook("Office", receiver.url("/media"), "media")
    client.send(one, token, sounds.long_wav(1))
    looked(one, token, receiver)
    assert pending(one) == [("pending", 0)]
    one.cli("webhook", "pause", webhook["id"])
    assert pending(one) == [("held", 0)]
    one.cli("webhook", "resume", webhook["id"])
    for worker in processes(one, "worker-"):
        worker.kill()
    looked(one, token, receiver)
    assert pending(one) == [("pending", 0)] and not receiver.at("/media")
    process.resume()
    payload = client.arrived(receiver, "/media").json
    assert client.fetch(one, payload["attachments"]).status_code == 200
    eventually(lambda: pending(one) == [("delivered", 1)])
    assert one.rows("SELECT claims - tries AS n FROM delivery WHERE type = 'call_recording'")[0].n == 0


def test_a_resend_of_what_was_dropped_waits_too(stopped: Stopped, receiver: Receiver) -> None:
    one, token, process = stopped
    webhook = one.webhook("Office", receiver.url("/media"), "media")
    one.cli("webhook", "pause", webhook["id"])
    client.send(one, token, sounds.long_wav(1))
    one.cli("webhook", "resume", webhook["id"], "--drop-held")
    (delivery,) = one.cli("delivery", "list")
    one.cli("delivery", "resend", delivery["id"])
    looked(one, token, receiver)
    assert pending(one) == [("pending", 0)] and not receiver.at("/media")
    process.resume()
    assert client.arrived(receiver, "/media").json["attachments"]


def test_a_call_keeps_its_order_and_others_do_not_wait(stopped: Stopped, receiver: Receiver) -> None:
    one, token, process = stopped
    one.webhook("Office", receiver.url("/media"), "media")
    one.webhook("Office", receiver.url("/calls"))
    client.send(one, token, sounds.long_wav(1), thread_id="A", n=1)
    headers = {"Authorization": f"Bearer {token}"}
    # A media event without a file of ours, for the same call and for another.
    for thread, n in (("A", 2), ("B", 3)):
        event = {"type": "voicemail", "thread_id": thread, "n": n}
        assert one.post("/api/events", json=event, headers=headers).status_code == 202
    one.event(token, type="incoming_call", subtype="ended", thread_id="A")
    receiver.wait("/calls")
    assert receiver.wait("/media")[0].json["n"] == 3
    looked(one, token, receiver)
    assert len(receiver.at("/media")) == 1
    process.resume()
    # At once, and not after the thirty seconds that a call waits at most.
    assert [got.json["n"] for got in receiver.wait("/media", 3, 20)] == [3, 1, 2]


@pytest.mark.databases("one")
def test_after_thirty_seconds_a_call_goes_on_without_it(stopped: Stopped, receiver: Receiver) -> None:
    one, token, process = stopped
    one.webhook("Office", receiver.url("/media"), "media")
    began = time.monotonic()
    client.send(one, token, sounds.long_wav(1), thread_id="A", n=1)
    event = {"type": "voicemail", "thread_id": "A", "n": 2}
    one.post("/api/events", json=event, headers={"Authorization": f"Bearer {token}"})
    assert receiver.wait("/media", seconds=60)[0].json["n"] == 2
    assert time.monotonic() - began > 28
    process.resume()
    assert receiver.wait("/media", 2, 40)[1].json["n"] == 1


@pytest.mark.databases("one")
def test_a_stop_in_a_long_conversion_is_quick_and_costs_nothing(
    start_appliance: Callable[..., Appliance], receiver: Receiver
) -> None:
    one = start_appliance()
    token = one.location("Office")
    one.webhook("Office", receiver.url("/media"), "media")
    answer = client.send(one, token, sounds.long_wav(240))
    assert answer.status_code == 202
    eventually(lambda: any(name.endswith(".part") for name in client.files(one)))
    began = time.monotonic()
    assert one.stop() == 0
    assert time.monotonic() - began < 9
    assert one.rows("SELECT state, tries FROM media") == [("waiting", 0)]
    one.start()
    payload = receiver.wait("/media", seconds=240)[0].json  # a busy machine has little left for it
    (shown,) = one.cli("media", "list")
    assert payload["attachments"] and abs(shown["seconds"] - 240) < 0.2


@pytest.mark.databases("one")
def test_a_long_conversion_holds_up_no_short_one(
    start_appliance: Callable[..., Appliance], receiver: Receiver
) -> None:
    one = start_appliance()
    token = one.location("Office")
    one.webhook("Office", receiver.url("/media"), "media")
    assert client.send(one, token, sounds.long_wav(3600), n=1).status_code == 202
    eventually(lambda: any(name.endswith(".part") for name in client.files(one)))
    for n in range(2, 5):
        assert client.send(one, token, sounds.long_wav(1), n=n).status_code == 202
    got = receiver.wait("/media", 3, seconds=30)
    assert {one.json["n"] for one in got} == {2, 3, 4}  # of three calls, in any order
    assert one.rows("SELECT state FROM media ORDER BY event_id LIMIT 1")[0].state == "waiting"
