"""Accepted events a second at the hook, durable, two deliveries each while these go out."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance import Appliance, free_port

from bench import appliance, processor, wrk
from bench.figures import Latencies, Spread, rate, times, us
from bench.peers.environment import programs
from bench.report import Line
from bench.session import Session, accepts, eventually, running
from bench.sink import Sink
from bench.wrk import Load

_CONNECTIONS: Final = 8
_BATCH: Final = 100
_RATIO, _BATCH_RATIO = 0.33, 1.0  # targets
_P99: Final = 15.0  # target, ms


@dataclass(frozen=True)
class Round:
    """``seconds`` are of processor time, an event: in the web processes, and in all with its deliveries."""

    load: Load
    batch: int = 1
    web_seconds: float = 0.0
    seconds: float = 0.0

    @property
    def per_second(self) -> float:
        return self.load.per_second * self.batch


def measure(session: Session) -> list[Line]:
    """Ours and the peer take turns."""
    rounds = [(_ours(session, 1), _flask(session), _ours(session, _BATCH)) for _ in range(session.rounds)]
    single, ok, batch = ([one[place] for one in rounds] for place in range(3))
    peer = f"Flask answering ok {_rates(ok).told(rate)}, {_latencies(ok)}"
    ratio, batch_ratio = (_rates(ours).over(_rates(ok)) for ours in (single, batch))
    return [
        Line(
            "events/s at the hook, 2 deliveries each, 8 connections", _told(single), peer, "",
            ratio.told(times), f"≥ {_RATIO:g}× (aim 0.4×), p99 ≤ {_P99:.0f} ms (aim 12)",
            ratio.median >= _RATIO and _latencies(single).p99.median <= _P99,
        ),
        Line(
            "events/s in batches of 100", f"{_told(batch)} a batch", peer, "", batch_ratio.told(times),
            f"≥ {_BATCH_RATIO:g}×", batch_ratio.median >= _BATCH_RATIO,
        ),
        Line(
            "processor time an event: web processes, all with its two deliveries",
            f"{_median(single, 'web_seconds')}, {_median(single, 'seconds')}",
        ),
    ]  # fmt: skip


def _rates(rounds: list[Round]) -> Spread:
    return Spread.of(one.per_second for one in rounds)


def _latencies(rounds: list[Round]) -> Latencies:
    return Latencies(tuple(one.load.latency for one in rounds))


def _told(rounds: list[Round]) -> str:
    return f"{_rates(rounds).told(rate)}, {_latencies(rounds)}"


def _median(rounds: list[Round], name: str) -> str:
    return Spread.of(getattr(one, name) for one in rounds).told(us)


def _ours(session: Session, batch: int) -> Round:
    with Sink() as sink, appliance.started(session) as machine:
        token = machine.location("Bench")
        appliance.add_webhooks(machine, "Bench", [sink.url(f"/now/{n}") for n in range(2)])
        url = f"{machine.url}/api/events"
        wrk.post(url, 1, connections=_CONNECTIONS, token=token, batch=batch)  # both processes have begun
        before, began = machine.rows("SELECT count(*) FROM event")[0][0], _spent(machine)
        load = wrk.post(url, session.size(8, 5), connections=_CONNECTIONS, token=token, batch=batch)
        ended = _spent(machine)
        kept = machine.rows("SELECT count(*) FROM event")[0][0] - before
        assert kept >= load.requests * batch, f"{load.requests * batch} events were accepted, {kept} kept"
        sent = sink.count()
    web_seconds, seconds = ((end - begin) / kept for begin, end in zip(began, ended, strict=True))
    found = Round(load, batch, web_seconds, seconds)
    session.say(
        f"hook, batches of {batch}: {rate(found.per_second)}, {load.latency}, processor time "
        f"{us(web_seconds)} in the web processes, {us(seconds)} in all; {sent} deliveries meanwhile"
    )
    return found


def _spent(machine: Appliance) -> tuple[float, float]:
    """Seconds of processor time of the web processes, and of all."""
    assert machine.process is not None
    web = [process.pid for process in machine.named("spoke: web")]
    return processor.spent(web), processor.spent([machine.process.pid])


def _flask(session: Session) -> Round:
    """An app that does nothing, under gunicorn with two processes of ten threads."""
    folder, port = session.new_folder("flask"), free_port()
    command = [
        str(programs(session) / "python"), "-m", "gunicorn", "--no-control-socket", "-w", "2",
        "--threads", "10", "--keep-alive", "75",
        "--bind", f"127.0.0.1:{port}", "bench.ok_app:app",
    ]  # fmt: skip
    tests = Path(__file__).resolve().parents[2]
    paths = os.pathsep.join([str(tests), str(tests.parent)])
    with running(command, folder / "log", env={**os.environ, "PYTHONPATH": paths}):
        url = f"http://127.0.0.1:{port}/"
        eventually(lambda: accepts(port), "Flask under gunicorn")
        wrk.post(url, 1, connections=_CONNECTIONS)  # both processes have begun
        load = wrk.post(url, session.size(5, 2), connections=_CONNECTIONS)
    session.say(f"Flask answering ok: {rate(load.per_second)}, {load.latency}")
    return Round(load)
