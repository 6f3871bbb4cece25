"""``python app.py`` by a fork of a process that has loaded all modules.

A start of the interpreter and its imports costs 1.3 of the 1.9 seconds of processor time that a start takes,
and the suite makes more than a hundred. What a fork runs is the same ``main()``; the starts that are
themselves under test, in ``tests/runtime/test_start.py`` and the README's, are made by a new interpreter.
"""

import contextlib
import functools
import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, NoReturn

from setproctitle import getproctitle

ROOT = Path(__file__).resolve().parent.parent
_MODULES = (
    "web", "cli", "runtime.appliance", "runtime.startup", "runtime.webserver", "runtime.worker",
    "runtime.converter", "runtime.housekeeping", "runtime.pbx",
)  # fmt: skip
_FOR_MIGRATIONS = ("alembic.command", "alembic.ddl.postgresql", "alembic.ddl.sqlite")


class Forked:
    """The forked process: what the tests use of ``subprocess.Popen``."""

    def __init__(self, pid: int, connection: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._connection = connection
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Returns the exit status, -N for a death by signal N.

        Raises:
            subprocess.TimeoutExpired: it runs on.
        """
        with self._lock:
            if self.returncode is None:
                self._connection.settimeout(timeout)
                try:
                    self.returncode = int(self._connection.recv(16))
                except (TimeoutError, BlockingIOError):
                    raise subprocess.TimeoutExpired("app.py", timeout or 0) from None
                self._connection.close()
            return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Forks:
    """The process that has loaded all modules: made at the first start, it ends with ``close()``.

    ``preload``: a shared library that it and all its forks run with.
    """

    def __init__(self, preload: Path | None = None) -> None:
        self._preload = str(preload) if preload else ""
        self._process: subprocess.Popen[bytes] | None = None

    def can_start(self, environment: Mapping[str, str]) -> bool:
        """Whether a fork is the same as a new interpreter with this environment."""
        return "PYTHONPATH" not in environment and environment.get("LD_PRELOAD", "") in ("", self._preload)

    @functools.cached_property
    def _socket(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, __file__, str(theirs.fileno())]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SPOKE_")}
        if self._preload:
            environment["LD_PRELOAD"] = self._preload
        with theirs:
            self._process = subprocess.Popen(command, cwd=ROOT, env=environment, pass_fds=[theirs.fileno()])
        return ours

    def start(
        self,
        arguments: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        output: IO[bytes],
        errors: IO[bytes] | None = None,
    ) -> Forked:
        """Run ``python app.py ARGUMENTS`` in a session of its own. ``errors``: where not to ``output``."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        wanted = json.dumps([[*arguments], str(folder), dict(environment)]).encode()
        with theirs:
            socket.send_fds(
                self._socket, [wanted], [theirs.fileno(), output.fileno(), (errors or output).fileno()]
            )
        return Forked(int(ours.recv(16)), ours)

    def close(self) -> None:
        if self._process:
            self._socket.close()
            self._process.wait(10)


def _serve(requests: socket.socket) -> None:
    """Fork an appliance for each message, until the other end is closed."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps the watchers
    gc.freeze()
    while True:
        message, fds, _, _ = socket.recv_fds(requests, 1 << 20, 3)
        if not message:
            return
        if os.fork() == 0:
            requests.close()
            _watch(tuple(json.loads(message)), socket.socket(fileno=fds[0]), fds[1:])
        for fd in fds:
            os.close(fd)


def _watch(
    wanted: tuple[list[str], str, dict[str, str]], connection: socket.socket, outputs: list[int]
) -> NoReturn:
    """Fork the appliance, and send its process id and, when it has ended, its exit status."""
    from webhooks.runtime.supervisor import die_with_parent

    die_with_parent()  # tests that are killed leave nothing behind
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        connection.close()
        _become(*wanted, outputs)
    for fd in outputs:
        os.close(fd)
    connection.send(str(pid).encode())
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(OSError):  # the tests are over
        connection.send(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _become(arguments: list[str], folder: str, environment: dict[str, str], outputs: list[int]) -> NoReturn:
    from webhooks.runtime.supervisor import die_with_parent

    die_with_parent()
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, fd in enumerate(outputs, 1):
        os.dup2(fd, number)
    os.closerange(3, 1024)
    sys.argv = ["app.py", *arguments]
    status = 1
    try:
        from webhooks.runtime.appliance import main

        status = main(arguments, web="app")
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    sys.path[0] = str(ROOT)
    for name in (*(f"webhooks.{name}" for name in _MODULES), *_FOR_MIGRATIONS):
        importlib.import_module(name)
    getproctitle()  # the library looks for the title's place here, before the environment is replaced
    _serve(socket.socket(fileno=int(sys.argv[1])))
