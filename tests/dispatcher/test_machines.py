"""Several processes and machines on one database: they share the work, and one that is lost is replaced."""

import signal
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from appliance import Appliance, PostgreSQL, eventually
from conftest import need
from receiver import Answer, Receiver

pytestmark = pytest.mark.postgresql


@pytest.fixture
def pair(tmp_path: Path, postgresql: PostgreSQL) -> Iterator[tuple[Appliance, Appliance]]:
    """An appliance, and the worker half of another machine: a data dir of its own, the same database."""
    url = postgresql.new()
    first = Appliance(tmp_path / "first", DATABASE_URL=url, SPOKE_WORKERS="1", SPOKE_SECRET_KEY="k" * 32)
    redis = f"unix://{first.folder}/data/redis/redis.sock"
    second = Appliance(
        tmp_path / "second", "worker", start=False, DATABASE_URL=url, REDIS_URL=redis,
        SPOKE_WORKERS="1", SPOKE_SECRET_KEY="k" * 32,
    )  # fmt: skip
    second.spawn()
    eventually(lambda: len(first.rows("SELECT id FROM worker")) == 2, 20)
    yield first, second
    second.end()
    first.end()


def test_two_machines_share_the_work_and_double_nothing(
    pair: tuple[Appliance, Appliance], receiver: Receiver
) -> None:
    first, second = pair
    token = first.location("Office")
    receiver.answers["/hook"] = [Answer(seconds=0.02)]
    for number in range(10):
        first.webhook("Office", receiver.url("/hook"), description=str(number))
    for _ in range(3):
        batch = [{"type": "incoming_call", "subtype": "ringing"} for _ in range(30)]
        answer = first.post("/api/events", json=batch, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 202
    receiver.wait("/hook", 900, 30)
    eventually(lambda: first.rows("SELECT count(*) AS n FROM delivery WHERE state = 'delivered'")[0].n == 900)
    assert set(Counter(one.webhook_id for one in receiver.requests).values()) == {10}
    assert first.rows("SELECT max(attempts) AS n FROM delivery")[0].n == 1
    assert second.process is not None and second.process.poll() is None


def test_a_machine_that_is_lost_is_replaced_within_30_seconds(
    pair: tuple[Appliance, Appliance], receiver: Receiver
) -> None:
    """Its connection stays open as far as the database can tell: all of it is stopped, not killed."""
    first, second = pair
    token = first.location("Office")
    receiver.answers["/hook"] = [Answer(seconds=1)]
    first.webhook("Office", receiver.url("/hook"), concurrency=1)
    calls = [str(uuid.uuid4()) for _ in range(4)]
    for call in calls:
        first.event(token, type="incoming_call", subtype="ringing", thread_id=call)
    receiver.wait("/hook")
    owner = first.rows("SELECT w.pid FROM lane l JOIN worker w ON w.id = l.owner")[0].pid
    lost, other = (first, second) if owner in {one.pid for one in first.family()} else (second, first)
    stopped = [one for one in lost.family() if "worker-1" in " ".join(one.cmdline())]
    for process in stopped:
        process.send_signal(signal.SIGSTOP)
    receiver.answers["/hook"] = [200]
    began = time.monotonic()
    got = receiver.wait("/hook", 4, 31)
    eventually(lambda: len({one.json["thread_id"] for one in receiver.at("/hook")}) == 4, 31)
    assert time.monotonic() - began < 31 and got
    for process in stopped:  # it finds itself replaced, and starts anew
        process.send_signal(signal.SIGCONT)
    eventually(lambda: "taken this one for dead" in lost.log, 30)
    first.event(token, type="incoming_call", subtype="busy")
    eventually(lambda: receiver.at("/hook")[-1].json["subtype"] == "busy", 10)
    assert other.process is not None and other.process.poll() is None


def test_a_database_that_goes_away_and_comes_back_loses_nothing(tmp_path: Path, receiver: Receiver) -> None:
    """Meanwhile the hook answers 503 with Retry-After, within its five seconds."""
    need(PostgreSQL.program("initdb"), "PostgreSQL is missing: apt install postgresql")
    server = PostgreSQL()
    appliance = Appliance(tmp_path / "a", DATABASE_URL=server.new())
    try:
        token = appliance.location("Office")
        appliance.webhook("Office", receiver.url("/hook"))
        assert appliance.event(token, type="incoming_call", subtype="ringing").status_code == 202
        receiver.wait("/hook")
        server.stop()
        refused = appliance.event(token, type="incoming_call", subtype="answered")
        assert refused.status_code == 503 and int(refused.headers["Retry-After"]) > 0
        assert appliance.get("/readyz").status_code == 503
        server.start()
        appliance.wait_ready()
        answer = eventually(lambda: _taken(appliance, token), 20)
        assert answer.json()["deliveries"] == 1
        # What was in flight when the database went comes once more, before it or after it: another call.
        eventually(lambda: "ended" in {one.json["subtype"] for one in receiver.at("/hook")}, 20)
        assert "Traceback" not in appliance.log
    finally:
        appliance.end()
        server.close()


def _taken(appliance: Appliance, token: str) -> requests.Response | None:
    answer = appliance.event(token, type="incoming_call", subtype="ended")
    return answer if answer.status_code == 202 else None
