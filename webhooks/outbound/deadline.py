"""The end of one attempt, enforced from outside: no receiver can stretch it byte by byte."""

import contextlib
import socket
import time


class Deadline:
    """One attempt's end on the monotonic clock, and the socket to shut down then.

    The socket handle is a duplicate: shutting it down reaches the connection in any state, also in a TLS
    handshake, while the thread at work still holds its own handle.
    """

    def __init__(self, seconds: float) -> None:
        self.started = time.monotonic()
        self.at = self.started + seconds
        self.handle: socket.socket | None = None
        self.reused = False
        self.cut_by: str | None = None

    def left(self) -> float:
        return self.at - time.monotonic()

    def cut(self, by: str) -> None:
        """Break the connection off; called from another thread."""
        self.cut_by = by
        handle = self.handle
        if handle is not None:
            with contextlib.suppress(OSError):  # not connected any more: what we wanted
                handle.shutdown(socket.SHUT_RDWR)
