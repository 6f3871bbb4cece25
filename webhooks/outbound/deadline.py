"""The deadline of one attempt, enforced from outside: no receiver can stretch it byte by byte."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Literal

AbortReason = Literal["deadline", "stop"]


class Deadline:
    """One attempt's begin and end on the monotonic clock, and the socket to shut down at its end.

    ``handle`` is a duplicate of the socket: shutting it down reaches the connection in any state, also in a
    TLS handshake, while the attempt's thread still holds its own. ``reused``: the connection was a kept one.
    The attempt's thread sets both; the watchdog reads ``handle`` and sets ``aborted_by``.
    """

    def __init__(self, timeout_s: float) -> None:
        self.started_s = time.monotonic()
        self.end_s = self.started_s + timeout_s
        self.handle: socket.socket | None = None
        self.reused = False
        self.aborted_by: AbortReason | None = None

    def left_s(self) -> float:
        """Seconds that are left; negative once the deadline has passed."""
        return self.end_s - time.monotonic()

    def abort(self, reason: AbortReason) -> None:
        """Shut the connection down, from another thread."""
        self.aborted_by = reason  # first: a connection that is just being made looks here
        handle = self.handle
        if handle is not None:
            with contextlib.suppress(OSError):  # not connected any more: just as well
                handle.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def watched(deadline: Deadline) -> Iterator[None]:
    """Abort what is done inside at its deadline, by a thread of its own; the worker pool has its watchdog."""
    watchdog = threading.Timer(max(0.0, deadline.left_s()), deadline.abort, ["deadline"])
    watchdog.daemon = True
    watchdog.start()
    try:
        yield
    finally:
        watchdog.cancel()
