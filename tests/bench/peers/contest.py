"""How many a second each peer delivers, measured at the receiver from the first to the last."""

import contextlib
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.events import call
from bench.figures import sustained
from bench.peers import environment
from bench.session import Session, running
from bench.sink import Sink

PROCESSES: Final = 2
_HERE: Final = Path(__file__).parent


@dataclass(frozen=True)
class Peer:
    """``workers`` are the commands that start two processes, as the peer's documentation has them.

    ``count``, and ``quick`` for a smoke run: deliveries that take some seconds.
    """

    name: str
    workers: tuple[str, ...]
    count: int
    quick: int


PEERS: Final = (
    Peer("Celery", ("celery -A tasks_celery worker --concurrency=2 --loglevel=ERROR",), 6000, 1000),
    Peer("dramatiq", ("dramatiq tasks_dramatiq --processes 2",), 6000, 1000),
    Peer("huey", ("huey_consumer tasks_huey.huey -k process -w 2",), 6000, 1000),
    Peer("RQ", ("python worker_rq.py",) * PROCESSES, 800, 100),
)


def peer_rate(session: Session, peer: Peer) -> float:
    """Deliveries a second of a queue that is full when the workers start."""
    count = session.size(peer.count, peer.quick)
    programs = environment.programs(session)
    log = session.new_folder(peer.name) / "log"
    with environment.broker(session) as url, Sink() as sink, contextlib.ExitStack() as stack:
        environ = {**os.environ, "BENCH_BROKER": url, "PYTHONPATH": str(_HERE)}
        arguments = [f"tasks_{peer.name.lower()}", sink.url("/now/peer"), str(count), json.dumps(call())]
        command = [f"{programs}/python", str(_HERE / "enqueue.py"), *arguments]
        subprocess.run(command, env=environ, cwd=_HERE, check=True)
        for line in peer.workers:
            program, *options = line.split()
            worker = [str(programs / program), *options]
            stack.enter_context(running(worker, log, env=environ, cwd=_HERE))
        sink.wait(count)
        return sustained(sink.arrivals().at_ns)


def loop_rate(session: Session, *, trust_env: bool) -> float:
    """Deliveries a second of ``requests.Session().post`` in a loop, in two processes.

    ``trust_env`` as it comes looks for proxies and passwords in the environment at every request.
    """
    count = session.size(10_000, 1000)
    log = session.new_folder("loop") / "log"
    python = environment.programs(session) / "python"
    with Sink() as sink, contextlib.ExitStack() as stack:
        arguments = [sink.url("/now/loop"), str(count // PROCESSES), json.dumps(call())]
        arguments += [] if trust_env else ["without-environment"]
        for _ in range(PROCESSES):
            stack.enter_context(
                running([str(python), str(_HERE / "bare_loop.py"), *arguments], log, cwd=_HERE)
            )
        sink.wait(count // PROCESSES * PROCESSES)
        return sustained(sink.arrivals().at_ns)
