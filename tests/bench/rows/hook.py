"""Accepted events a second at the hook, durable, two deliveries each while these go out."""

import os
from pathlib import Path

from appliance import free_port

from bench import appliance, wrk
from bench.figures import rate, times
from bench.peers.environment import programs
from bench.report import Line
from bench.session import Session, accepts, eventually, running
from bench.sink import Sink
from bench.wrk import Load

_CONNECTIONS = 8
_BATCH = 100
_P99 = 15.0  # target, ms


def measure(session: Session) -> list[Line]:
    """The median of some rounds, by requests a second; the peer's are between ours."""
    rounds = [(_ours(session, 1), _flask(session), _ours(session, _BATCH)) for _ in range(session.size(3, 1))]
    single, ok, batch = (_median([one[place] for one in rounds]) for place in range(3))
    ratio, batch_ratio = (single.per_second / ok.per_second, batch.per_second * _BATCH / ok.per_second)
    peer = f"Flask answering ok {rate(ok.per_second)}, p99 {ok.latency.p99:.1f} ms"
    return [
        Line(
            "events/s at the hook, 2 deliveries each, 8 connections",
            f"{rate(single.per_second)}, {single.latency}", peer, "", times(ratio),
            f"≥ 0.2× (aim 0.3×), p99 ≤ {_P99:.0f} ms", ratio >= 0.2 and single.latency.p99 <= _P99,
        ),
        Line(
            "events/s in batches of 100", f"{rate(batch.per_second * _BATCH)}, {batch.latency} a batch",
            peer, "", times(batch_ratio), "≥ 1×", batch_ratio >= 1,
        ),
    ]  # fmt: skip


def _median(loads: list[Load]) -> Load:
    return sorted(loads, key=lambda load: load.per_second)[len(loads) // 2]


def _ours(session: Session, batch: int) -> Load:
    with Sink() as sink, appliance.started(session) as machine:
        token = machine.location("Bench")
        appliance.add_webhooks(machine, "Bench", [sink.url(f"/now/{n}") for n in range(2)])
        url = f"{machine.url}/api/events"
        wrk.post(url, 1, connections=_CONNECTIONS, token=token, batch=batch)  # both processes have begun
        before = machine.rows("SELECT count(*) FROM event")[0][0]
        load = wrk.post(url, session.size(10, 8), connections=_CONNECTIONS, token=token, batch=batch)
        kept = machine.rows("SELECT count(*) FROM event")[0][0] - before
        assert kept >= load.requests * batch, f"{load.requests * batch} events were accepted, {kept} kept"
        sent = sink.count()
    told = f"{rate(load.per_second * batch)}, {load.latency}; {sent} deliveries meanwhile"
    session.say(f"hook, batches of {batch}: {told}")
    return load


def _flask(session: Session) -> Load:
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
    return load
