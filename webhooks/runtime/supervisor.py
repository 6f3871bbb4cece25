"""Supervisor: forks child processes, restarts those that end or hang, and stops all in order.

The supervisor loads all modules once, and its children share them: a fork takes milliseconds where imports
take two seconds, and the memory is shared. So the supervisor must have no threads and no open connections.
The kernel kills the children if the supervisor is killed (PR_SET_PDEATHSIG).
"""

import contextlib
import ctypes
import gc
import logging
import mmap
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, NoReturn

from setproctitle import setproctitle

_TICK_SECONDS: Final = 0.05
_BACK_OFF: Final = (0.1, 5.0)
_STEADY_SECONDS: Final = 30.0  # after a run this long the back-off begins anew
HUNG_SECONDS: Final = 30.0  # without a heartbeat of a child that has one
_STOP_SECONDS: Final = 17.0  # ten for attempts in flight, the rest to settle them
_PR_SET_PDEATHSIG: Final = 1

log = logging.getLogger(__name__)


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends, however that ends."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Heartbeat:
    """A counter in shared memory: the child counts up, its supervisor sees when that stops."""

    def __init__(self) -> None:
        self._counter = memoryview(mmap.mmap(-1, 8)).cast("Q")
        self._seen = 0
        self._silent_s = 0.0
        self._checked_at = time.monotonic()

    def beat(self) -> None:
        self._counter[0] = (self._counter[0] + 1) % (1 << 63)

    def reset(self) -> None:
        self._silent_s = 0.0

    def silent_s(self) -> float:
        """Return for how long nothing was counted, as far as the supervisor itself was awake to see it.

        A machine or container that was frozen for an hour has no hung children when it wakes.
        """
        now = time.monotonic()
        self._silent_s += min(now - self._checked_at, 2.0)
        self._checked_at = now
        if self._counter[0] != self._seen:
            self._seen = self._counter[0]
            self._silent_s = 0.0
        return self._silent_s


class Flag:
    """A bit in shared memory: a child raises it, its supervisor sees that. It stays raised."""

    def __init__(self) -> None:
        self._byte = memoryview(mmap.mmap(-1, 1))

    def hoist(self) -> None:
        self._byte[0] = 1

    def __bool__(self) -> bool:
        return bool(self._byte[0])


@dataclass
class Child:
    """A child process. ``run`` is its main function: it returns the exit status, or never (exec).

    ``close``: descriptors that only the supervisor may hold, so that its lock and its listening socket are
    free as soon as it ends. A child with a ``heartbeat`` is killed after HUNG_SECONDS without a beat. One
    with a flag, ``wanted``, is first started once that is raised.
    """

    name: str
    run: Callable[[], int]
    close: tuple[int, ...] = ()
    heartbeat: Heartbeat | None = None
    wanted: Flag | None = None
    pid: int | None = None
    started_at: float = 0.0
    pause_s: float = _BACK_OFF[0]
    start_at: float = 0.0

    @property
    def is_missing(self) -> bool:
        """Whether it should run, and does not."""
        return self.pid is None and (self.wanted is None or bool(self.wanted))

    def start(self) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become(parent)
        self.pid = pid
        self.started_at = time.monotonic()
        if self.heartbeat:
            self.heartbeat.reset()

    def end_if_hung(self, limit_s: float) -> None:
        """Kill it if it runs and its heart does not beat; its end is then noted like any other."""
        if self.heartbeat and self.heartbeat.silent_s() > limit_s and self.pid is not None:
            log.error(
                "process gives no sign of life; it is killed", extra={"child": self.name, "limit_s": limit_s}
            )
            self.signal(signal.SIGKILL)
            self.heartbeat.reset()

    def _become(self, parent: int) -> NoReturn:
        """Run as the child, and exit: the stack is the parent's, and must not be unwound here."""
        status = 70  # EX_SOFTWARE
        try:
            # A process group of its own, so that Ctrl-C comes through the supervisor only. No session of its
            # own: Linux gives each session the same share of the processors, so that a thread with a higher
            # nice value (dispatcher/worker_pool) would yield to its own process only.
            os.setpgid(0, 0)
            signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # else a background group's output would stop it
            die_with_parent()
            if os.getppid() != parent:
                os._exit(0)
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            for fd in self.close:
                os.close(fd)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            setproctitle(f"spoke: {self.name}")
            status = self.run()
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
        except Exception:
            log.exception("process ended by an internal error", extra={"child": self.name})
        finally:
            logging.shutdown()
            sys.stdout.flush()
            os._exit(status)

    def ended(self, status: int) -> None:
        """Note the child's end, and when to start it again."""
        now = time.monotonic()
        self.pid = None
        if now - self.started_at >= _STEADY_SECONDS:
            self.pause_s = _BACK_OFF[0]
        self.start_at = now + self.pause_s
        log.warning(
            "process ended; it is started again",
            extra={"child": self.name, "ending": _ending(status), "restart_s": self.pause_s},
        )
        self.pause_s = min(self.pause_s * 2, _BACK_OFF[1])

    def signal(self, number: int) -> None:
        if self.pid is not None:
            os.kill(self.pid, number)  # not reaped yet, so the pid is still its own


def _ending(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"status {code}"


@dataclass
class Supervisor:
    """Runs children until SIGTERM or SIGINT, in one thread. ``last`` (Redis) stops after the others.

    ``listeners``: called when their descriptor has something to read.
    """

    children: list[Child] = field(default_factory=list)
    last: Child | None = None
    listeners: dict[int, Callable[[], None]] = field(default_factory=dict)
    stop_wanted: bool = False
    hung_s: float = HUNG_SECONDS

    @property
    def _all(self) -> list[Child]:
        return [self.last, *self.children] if self.last else self.children

    @contextlib.contextmanager
    def signals(self) -> Iterator[int]:
        """Yield a descriptor on which signals arrive as bytes, so that a wait ends at once."""
        reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        yield reader

    def _note(self, number: int, _frame: object) -> None:
        if self.stop_wanted and number == signal.SIGINT:  # a second Ctrl-C kills
            for child in self._all:
                child.signal(signal.SIGKILL)
        self.stop_wanted = True

    def run(self, wakeup: int, each_tick: Callable[[], None]) -> None:
        gc.collect()
        gc.freeze()  # else the children's collectors would write to the shared pages
        while not self.stop_wanted:
            now = time.monotonic()
            for child in self._all:
                if child.is_missing and now >= child.start_at:
                    child.start()
            each_tick()
            wait_s = _TICK_SECONDS if self._restless() else 1.0
            ready, _, _ = select.select([wakeup, *self.listeners], [], [], wait_s)
            for descriptor in self.listeners.keys() & ready:
                self.listeners[descriptor]()
            with contextlib.suppress(BlockingIOError):
                os.read(wakeup, 512)
            for child, status in self.reap():
                child.ended(status)
            for child in self._all:
                child.end_if_hung(self.hung_s)

    def _restless(self) -> bool:
        return any(
            child.is_missing or (child.pid and time.monotonic() - child.started_at < 5) for child in self._all
        )

    def reap(self) -> list[tuple[Child, int]]:
        """Reap ended processes, as PID 1 also orphans. Returns the children with their wait status."""
        ended: list[tuple[Child, int]] = []
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return ended
            if pid == 0:
                return ended
            ended += [(child, status) for child in self._all if child.pid == pid]

    def stop(self) -> None:
        """Stop all children at once, then ``last``."""
        self._end(self.children, _STOP_SECONDS)
        self._end([self.last] if self.last else [], 5.0)

    def _end(self, children: list[Child], limit_s: float) -> None:
        until = time.monotonic() + limit_s
        for child in children:
            child.signal(signal.SIGTERM)
        while any(child.pid is not None for child in children):
            for child, _ in self.reap():
                child.pid = None
            if time.monotonic() > until:
                for child in children:
                    if child.pid is not None:
                        log.warning("process did not stop in time; it is killed", extra={"child": child.name})
                        child.signal(signal.SIGKILL)
                until += 5
            time.sleep(0.01)
