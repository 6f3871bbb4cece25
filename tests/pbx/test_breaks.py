"""What breaks in mid-call: Asterisk, our process, the network. A call has one end; nothing comes twice."""

import asyncio
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from appliance import Appliance, eventually
from asterisk import Lab, state
from receiver import Receiver

pytestmark = pytest.mark.databases("one")

Talk = Callable[[], None]


class Gone(Exception):
    """Asterisk was killed, and with it all that the lab would wait for."""


class Course:
    """A call from outside that 5010 answers. ``meanwhile`` runs while they talk; then the caller hangs up."""

    AFTER = 0.2

    def __init__(self, meanwhile: Talk, *, hangs_up: bool = True) -> None:
        self.meanwhile, self.hangs_up = meanwhile, hangs_up

    async def course(self, lab: Any) -> None:
        provider, phone = await lab.provider(), await lab.phone("5010")
        outer, inner = await lab.talk(provider, phone, "+12025550110", "+12025550123")
        await asyncio.to_thread(self.meanwhile)
        if self.hangs_up:
            outer.hangup()
            await inner.over()


def told(receiver: Receiver) -> list[tuple[str, bool]]:
    """Statuses in order, and whether each was reconstructed."""
    found = [request.json for request in receiver.at("/calls")]
    assert len({event["thread_id"] for event in found}) <= 1, found
    return [(str(event["subtype"]), bool(event.get("reconstructed"))) for event in found]


def wait_for(receiver: Receiver, status: str, seconds: float = 10) -> None:
    eventually(lambda: status in [subtype for subtype, _ in told(receiver)], seconds)


@pytest.fixture
def office(appliance: Appliance, place: tuple[str, str], receiver: Receiver) -> str:
    appliance.webhook(place[0], receiver.url("/calls"))
    return place[0]


def wait_until_over(appliance: Appliance, location: str) -> None:
    """Wait until no call of the location is open and all that was told of it is sent: nothing can follow."""
    id_ = appliance.location_id(location)

    def call_is_open() -> bool:
        try:
            journals = (appliance.folder / "data" / "pbx").glob(f"{id_}-*.jsonl")
            return any(path.stat().st_size for path in journals)
        except FileNotFoundError:  # taken away between the two
            return True

    eventually(lambda: not call_is_open(), 30)
    waiting = "SELECT 1 FROM delivery d JOIN webhook w ON w.id = d.webhook_id WHERE w.location_id = :id_"
    eventually(lambda: not appliance.rows(f"{waiting} AND d.state = 'pending'", id_=id_))


def kill_pbx(appliance: Appliance) -> None:
    """``kill -9`` of our process that holds the connections."""
    (process,) = appliance.named("spoke: pbx")
    process.kill()
    process.wait(5)


def test_asterisk_is_killed_in_mid_call_and_the_call_is_closed_once_it_is_back(
    appliance: Appliance, office: str, receiver: Receiver, asterisk_22: Lab
) -> None:
    asterisk_22.connect(appliance, office)

    def die() -> None:
        wait_for(receiver, "answered")
        asterisk_22.kill()
        raise Gone

    with pytest.raises(Gone):
        asterisk_22.play(Course(die, hangs_up=False))
    eventually(lambda: state(appliance, office)["state"] == "broken", 20, every=0.25)
    assert told(receiver) == [("ringing", False), ("answered", False)]
    asterisk_22.start()
    wait_for(receiver, "ended", 90)
    wait_until_over(appliance, office)
    assert told(receiver) == [("ringing", False), ("answered", False), ("ended", True)]


def test_asterisk_restarts_in_mid_call_and_the_end_that_it_told_is_not_told_again(
    appliance: Appliance, office: str, receiver: Receiver, asterisk_22: Lab
) -> None:
    asterisk_22.connect(appliance, office)

    def restart() -> None:
        wait_for(receiver, "answered")
        asterisk_22.running.restart()
        eventually(lambda: state(appliance, office)["state"] == "connected", 30, every=0.25)

    asterisk_22.play(Course(restart, hangs_up=False))
    wait_until_over(appliance, office)
    assert told(receiver) == [("ringing", False), ("answered", False), ("ended", False)]


def test_our_process_is_killed_in_mid_call_and_the_call_goes_on_as_if_nothing_was(
    appliance: Appliance, office: str, receiver: Receiver, asterisk_22: Lab
) -> None:
    asterisk_22.connect(appliance, office)

    def die() -> None:
        wait_for(receiver, "answered")
        before = state(appliance, office)["since"]
        kill_pbx(appliance)
        eventually(
            lambda: (now := state(appliance, office))["state"] == "connected" and now["since"] != before, 20
        )

    asterisk_22.play(Course(die))
    wait_for(receiver, "ended")
    wait_until_over(appliance, office)
    assert told(receiver) == [("ringing", False), ("answered", False), ("ended", False)]


def test_our_process_is_killed_and_the_call_ends_before_it_is_back(
    appliance: Appliance, office: str, receiver: Receiver, asterisk_22: Lab
) -> None:
    asterisk_22.connect(appliance, office)

    def die() -> None:
        wait_for(receiver, "answered")
        (supervisor,) = appliance.family()[:1]
        (process,) = appliance.named("spoke: pbx")
        supervisor.suspend()  # so that it is not back at once
        process.kill()

    try:
        asterisk_22.play(Course(die))
        assert told(receiver) == [("ringing", False), ("answered", False)]
    finally:
        appliance.family()[0].resume()
    wait_for(receiver, "ended")
    wait_until_over(appliance, office)
    assert told(receiver) == [("ringing", False), ("answered", False), ("ended", True)]


def test_a_connection_is_taken_away_while_a_call_is_open_and_the_call_is_closed(
    appliance: Appliance, office: str, receiver: Receiver, asterisk_22: Lab
) -> None:
    asterisk_22.connect(appliance, office)

    def disconnect() -> None:
        wait_for(receiver, "answered")
        appliance.cli("pbx", "disconnect", office)
        wait_for(receiver, "ended")

    asterisk_22.play(Course(disconnect))
    wait_until_over(appliance, office)
    assert told(receiver) == [("ringing", False), ("answered", False), ("ended", True)]


class Proxy:
    """Passes bytes on, both ways; while ``cut`` is set it passes none, and nobody is told."""

    def __init__(self, port: int) -> None:
        self._target = port
        self.cut = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.hanging = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self.cut.is_set():
                threading.Thread(target=self._hang, args=(near,), daemon=True).start()
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self._target))
            except OSError:  # Asterisk is down
                near.close()
                continue
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    def _hang(self, near: socket.socket) -> None:
        self.hanging += 1
        with near:
            while self.cut.is_set():
                time.sleep(0.1)

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with source, target:
            try:
                while data := source.recv(65536):
                    while self.cut.is_set():
                        time.sleep(0.1)
                    target.sendall(data)
            except OSError:
                return

    def close(self) -> None:
        self._listener.close()


def test_the_network_is_cut_for_30_seconds_while_one_call_ends_and_another_begins(
    appliance: Appliance, office: str, receiver: Receiver, asterisk_22: Lab
) -> None:
    proxy = Proxy(asterisk_22.port)
    asterisk_22.connect(appliance, office, proxy.port)

    def cut() -> None:
        wait_for(receiver, "answered")
        proxy.cut.set()

    asterisk_22.play(Course(cut))  # its end falls into the cut
    assert told(receiver) == [("ringing", False), ("answered", False)]
    eventually(lambda: "no sign of life" in state(appliance, office)["detail"], 40, every=1)
    eventually(lambda: proxy.hanging, 20)  # it tries again, in vain
    proxy.cut.clear()
    wait_for(receiver, "ended", 90)
    eventually(lambda: state(appliance, office)["state"] == "connected", 60, every=0.25)
    wait_until_over(appliance, office)
    assert told(receiver) == [("ringing", False), ("answered", False), ("ended", True)]
    asterisk_22.play("busy")
    statuses = Counter(str(request.json["subtype"]) for request in receiver.wait("/calls", 5))
    assert statuses == {"ringing": 2, "answered": 1, "ended": 1, "busy": 1}
    proxy.close()


def test_the_appliance_stops_and_starts_while_a_call_goes_on(
    start_appliance: Callable[..., Appliance], receiver: Receiver, asterisk_22: Lab
) -> None:
    one = start_appliance()
    one.location("Office")
    one.webhook("Office", receiver.url("/calls"))
    asterisk_22.connect(one, "Office")

    def stop_and_start() -> None:
        wait_for(receiver, "answered")
        one.stop()
        one.start()
        eventually(lambda: state(one, "Office")["state"] == "connected", 20, every=0.25)

    asterisk_22.play(Course(stop_and_start))
    wait_for(receiver, "ended")
    wait_until_over(one, "Office")  # nobody's number is left in its journal
    assert told(receiver) == [("ringing", False), ("answered", False), ("ended", False)]
