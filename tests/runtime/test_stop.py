"""How it all ends: by SIGTERM, by Ctrl-C, by ``kill -9`` of the supervisor."""

import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from appliance import Appliance, eventually
from receiver import Answer, Receiver


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that still run. In a container without an init the orphans stay as zombies."""
    found = []
    for process in processes:
        try:
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def sockets(appliance: Appliance) -> list[Path]:
    return [path for path in appliance.folder.rglob("*") if path.is_socket()]


def states(appliance: Appliance) -> list[str]:
    return [row.state for row in appliance.rows("SELECT state FROM delivery ORDER BY id")]


@pytest.mark.databases("one")
def test_ctrl_c_ends_all_of_it_and_what_is_in_flight_is_finished(
    start_appliance: Callable[..., Appliance], receiver: Receiver
) -> None:
    """A terminal sends SIGINT to the whole process group."""
    one = start_appliance()
    token = one.location("Office")
    one.webhook("Office", receiver.url("/hook"))
    receiver.answers["/hook"] = [Answer(seconds=0.8)]
    one.ring(token)
    receiver.wait("/hook")
    processes = one.family()
    assert len(processes) >= 8 and len(sockets(one)) == 1
    assert one.process is not None
    os.killpg(one.process.pid, signal.SIGINT)
    assert one.process.wait(10) == 0
    assert alive(processes) == [] and sockets(one) == [] and not listens(one.port)
    assert states(one) == ["delivered"] and len(receiver.requests) == 1
    assert "Traceback" not in one.log and "process ended" not in one.log


@pytest.mark.databases("one")
def test_sigterm_gives_what_is_in_flight_ten_seconds_and_the_rest_another_try(
    start_appliance: Callable[..., Appliance], receiver: Receiver
) -> None:
    one = start_appliance(SPOKE_TIMEOUT="25")
    token = one.location("Office")
    one.webhook("Office", receiver.url("/takes-3"))
    one.webhook("Office", receiver.url("/takes-60"))
    receiver.answers["/takes-3"] = [Answer(seconds=3)]
    receiver.answers["/takes-60"] = [Answer(seconds=60), Answer(200)]
    one.ring(token)
    receiver.wait("/takes-3")
    receiver.wait("/takes-60")
    processes = one.family()
    before = time.monotonic()
    assert one.stop() == 0
    assert 9 < time.monotonic() - before < 24
    assert alive(processes) == [] and sockets(one) == [] and not listens(one.port)
    assert states(one) == ["delivered", "pending"]
    attempts = one.rows("SELECT status, error FROM attempt ORDER BY delivery_id")
    assert [attempt.status for attempt in attempts] == [200, None]
    assert attempts[1].error.startswith("Interrupted")
    one.start()
    first, second = receiver.wait("/takes-60", 2, seconds=5)
    assert first.webhook_id == second.webhook_id
    eventually(lambda: states(one) == ["delivered", "delivered"])
    assert len(receiver.at("/takes-3")) == 1
    assert [row.attempts for row in one.rows("SELECT attempts FROM delivery ORDER BY id")] == [1, 2]
    one.kill()


def test_a_killed_supervisor_takes_all_with_it_and_a_new_start_goes_on_at_once(
    start_appliance: Callable[..., Appliance], receiver: Receiver
) -> None:
    one = start_appliance(SPOKE_RETRY_SCHEDULE="1")
    token = one.location("Office")
    one.webhook("Office", receiver.url("/in-flight"))
    one.webhook("Office", receiver.url("/to-be-retried"))
    receiver.answers["/in-flight"] = [Answer(seconds=5), Answer(200)]
    receiver.answers["/to-be-retried"] = [500, 200]
    one.ring(token)
    receiver.wait("/in-flight")
    eventually(lambda: one.rows("SELECT 1 FROM attempt"))
    processes = one.family()
    one.kill()
    eventually(lambda: not alive(processes))
    # Nothing runs: what is sent now waits as well.
    sent = one.cli("event", "send", "--location", "Office", "--type", "outgoing_call", "--status", "busy")
    one.start()
    first, *again = receiver.wait("/in-flight", 3)
    assert first.webhook_id in [got.webhook_id for got in again]
    assert sent["id"] in [got.webhook_id for got in receiver.wait("/to-be-retried", 3)]
    eventually(lambda: states(one) == ["delivered"] * 4)
    one.kill()


@pytest.mark.databases("one")
def test_a_stop_during_the_start_leaves_nothing(start_appliance: Callable[..., Appliance]) -> None:
    one = start_appliance(start=False)
    process = one.spawn()
    eventually(lambda: "Redis: " in one.log, every=0.005)
    processes = one.family()
    assert len(processes) == 2
    assert one.stop(10) == 0
    assert alive(processes) == [] and sockets(one) == [] and not listens(one.port)
    assert "Traceback" not in one.log
    assert process.returncode == 0


@pytest.mark.databases("one")
def test_a_redis_that_hangs_does_not_keep_the_workers_from_their_ten_seconds(
    start_appliance: Callable[..., Appliance], receiver: Receiver
) -> None:
    one = start_appliance()
    token = one.location("Office")
    one.webhook("Office", receiver.url("/hook"))
    receiver.answers["/hook"] = [Answer(seconds=1.5)]
    server = one.named("valkey-server")[0]
    others = [process for process in one.family()[1:] if process != server]
    one.ring(token)
    receiver.wait("/hook")
    server.suspend()
    assert one.process is not None
    one.process.terminate()
    try:
        eventually(lambda: not alive(others), 10)
    finally:
        server.resume()
    assert one.process.wait(10) == 0
    assert states(one) == ["delivered"]
