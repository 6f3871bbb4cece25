"""One run of the bench: its folder, its sizes, its progress lines, the processes that it starts."""

import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Session:
    """``quick``: a smoke run, too short for its figures to mean much. ``folder`` goes with its end.

    ``rounds``: how often each thing is measured, in turns with what it is compared with.
    """

    folder: Path
    quick: bool
    rounds: int
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _started: float = field(default_factory=time.monotonic)

    def size(self, full: int, quick: int) -> int:
        return quick if self.quick else full

    def new_folder(self, name: str) -> Path:
        """An empty folder of a step's own."""
        made = self.folder / f"{next(self._numbers)}-{name}"
        made.mkdir()
        return made

    def say(self, line: str) -> None:
        """Tell on standard error what is being done, with the seconds since the start."""
        print(f"{time.monotonic() - self._started:6.1f} s  {line}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def running(command: Sequence[str], log: Path, **more: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process of ours while the block runs; it and what it started have ended after it."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, **more
        )
    try:
        yield process
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its group is ours alone: it began a session
        process.wait()


def eventually(check: Callable[[], bool], what: str, seconds: float = 20) -> None:
    """Wait until ``check()`` holds.

    Raises:
        TimeoutError: not so within ``seconds``; says ``what`` was waited for.
    """
    until = time.monotonic() + seconds
    while not check():
        if time.monotonic() > until:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(0.02)


def accepts(port: int) -> bool:
    """Whether somebody listens on 127.0.0.1."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
