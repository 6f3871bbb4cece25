"""The deadline of one attempt, held in the attempt's own thread: no receiver can stretch it byte by byte."""

import contextlib
import socket
import time

from webhooks.errors import ConnectionFailed


class Deadline:
    """One attempt's begin and end on the monotonic clock. ``stopped``: another thread has aborted it."""

    def __init__(self, timeout_s: float) -> None:
        self.started_s = time.monotonic()
        self.end_s = self.started_s + timeout_s
        self.stopped = False
        self._socket: socket.socket | None = None

    def left_s(self) -> float:
        """Seconds that are left; negative once the deadline has passed."""
        return self.end_s - time.monotonic()

    def wait_s(self, sock: socket.socket) -> float:
        """How long the socket's next call may wait. To be asked before each of them.

        Raises:
            TimeoutError: the deadline has passed. ConnectionFailed: the attempt was aborted.
        """
        self._socket = sock
        if self.stopped:  # after the socket is noted: who aborts looks for it last
            raise ConnectionFailed("The attempt was broken off.")
        left_s = self.end_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("timed out")
        return left_s

    def limit(self, sock: socket.socket) -> None:
        """Let the socket's next call end with the deadline. Raises as ``wait_s``."""
        sock.settimeout(self.wait_s(sock))

    def abort(self) -> None:
        """Shut the connection down, from another thread. A call that waits for it returns at once."""
        self.stopped = True
        sock = self._socket
        if sock is not None:
            with contextlib.suppress(OSError):  # closed already: just as well
                socket.socket.shutdown(sock, socket.SHUT_RDWR)  # SSLSocket's own forgets its TLS state first
