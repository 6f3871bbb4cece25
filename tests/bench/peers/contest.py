"""How many a second each peer delivers, measured at the receiver, and what a delivery costs it."""

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench import processor
from bench.events import call
from bench.figures import rate, sustained, us
from bench.peers import environment
from bench.peers.catalogue import Peer
from bench.session import Session, running
from bench.sink import Sink

PROCESSES: Final = 2
_QUICK: Final = 5  # the part of its deliveries that a peer gets in a smoke run


@dataclass(frozen=True)
class Score:
    """``seconds`` are of processor time, a delivery, without the receiver's."""

    per_second: float
    seconds: float

    def __str__(self) -> str:
        return f"{rate(self.per_second)}, {us(self.seconds)} of processor time each"


def score(session: Session, peer: Peer) -> Score:
    """Deliveries of a queue that is full when the workers start, from the first to the last."""
    count = session.size(peer.count, peer.count // _QUICK)
    with contextlib.ExitStack() as stack:
        server = environment.database() if peer.postgresql else environment.broker(session)
        url, serving = stack.enter_context(server)
        variable = "BENCH_DATABASE" if peer.postgresql else "BENCH_BROKER"
        environ = {**os.environ, variable: url, "BENCH_FORM": peer.form, "PYTHONPATH": str(environment.HERE)}
        sink = stack.enter_context(Sink())
        folder, fill, find = _programs(session, peer)
        arguments = [sink.url("/now/peer"), str(count), json.dumps(call())]
        subprocess.run([*fill, *arguments], env=environ, cwd=folder, check=True)
        log = session.new_folder(peer.title.replace(" ", "-")) / "log"
        workers = [
            stack.enter_context(running(find(line), log, env=environ, cwd=folder)).pid
            for line in peer.workers
        ]
        return _measured(sink, [serving, *workers], count)


def loop_score(session: Session, *, trust_env: bool) -> Score:
    """Deliveries of ``requests.Session().post`` in a loop, in two processes.

    ``trust_env`` as it comes looks for proxies and passwords in the environment at every request.
    """
    each = session.size(10_000, 1000) // PROCESSES
    log = session.new_folder("loop") / "log"
    python = environment.programs(session) / "python"
    with Sink() as sink, contextlib.ExitStack() as stack:
        arguments = [sink.url("/now/loop"), str(each), json.dumps(call())]
        arguments += [] if trust_env else ["without-environment"]
        command = [str(python), str(environment.HERE / "bare_loop.py"), *arguments]
        loops = [
            stack.enter_context(running(command, log, cwd=environment.HERE)).pid for _ in range(PROCESSES)
        ]
        return _measured(sink, loops, each * PROCESSES)


def _programs(session: Session, peer: Peer) -> tuple[Path, list[str], Callable[[str], list[str]]]:
    """The folder that a peer runs in, the command that fills its queue, and a worker's from its line."""
    if not peer.module:
        folder = environment.node_folder(session)
        node = shutil.which("node")
        assert folder is not None and node is not None, "asked beforehand"
        return folder, [node, "bullmq.mjs", "fill"], lambda line: [node, *line.split()[1:]]
    programs = environment.programs(session)
    fill = [str(programs / "python"), str(environment.HERE / "fill.py"), peer.module]

    def find(line: str) -> list[str]:
        program, *options = line.split()
        return [str(programs / program), *options]

    return environment.HERE, fill, find


def _measured(sink: Sink, processes: Iterable[int], count: int) -> Score:
    """Processor time counts from soon after the first arrival, so that no start is in it."""
    roots = list(processes)
    sink.wait(1)
    begin, before = processor.spent(roots), sink.count()
    sink.wait(count)
    spent = processor.spent(roots) - begin
    return Score(sustained(sink.arrivals().at_ns), spent / max(1, count - before))
