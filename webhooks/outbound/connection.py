"""One connection to a receiver: idle, in use, or closed."""

import select
import socket
import ssl
import time
from collections.abc import Callable
from typing import Final, Literal

from webhooks.outbound.address_rules import Address
from webhooks.outbound.deadline import Deadline

_NOT_YET: Final = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
KEPT_S: Final = 60.0  # its address counts as checked for so long
_PIECE_BYTES: Final = 1 << 16


class Connection:
    """One thread at a time uses it. ``address`` is the one that was checked.

    ``give_back`` takes it once an answer was read whole: it is idle from then on.
    """

    def __init__(
        self, sock: socket.socket, address: Address, give_back: Callable[["Connection"], None]
    ) -> None:
        self.address = address
        self.state: Literal["idle", "in use", "closed"] = "in use"
        self.was_idle = False  # it served an earlier request: the receiver may have closed it since
        # With a timeout, a socket asks the system three times for each call. This one waits where it must.
        sock.setblocking(False)
        self._socket, self._give_back = sock, give_back
        self._secure = sock if isinstance(sock, ssl.SSLSocket) else None
        self._kept_until_s = time.monotonic() + KEPT_S
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)

    @property
    def session(self) -> ssl.SSLSession | None:
        """What a later connection may resume; TLS 1.3 has it only once something was read."""
        return self._secure.session if self._secure else None

    def take(self) -> bool:
        """Take it into use again. Returns False, and closes it, where it is too old or no longer silent.

        Whatever came while it was idle is no answer of ours: an end of the stream, or a 408.
        """
        if time.monotonic() >= self._kept_until_s or self._is_readable():
            self.close()
            return False
        self.state, self.was_idle = "in use", True
        return True

    def release(self) -> None:
        """Have it kept for the next request."""
        if self.state == "in use":
            self.state = "idle"
            self._give_back(self)

    def send(self, data: bytes, deadline: Deadline) -> None:
        """Send all of it. Raises OSError."""
        rest = memoryview(data)
        while rest:
            deadline.wait_s(self._socket)
            try:
                rest = rest[self._socket.send(rest) :]
            except _NOT_YET as error:
                wants_read = isinstance(error, ssl.SSLWantReadError)
                self._wait(deadline, select.POLLIN if wants_read else select.POLLOUT)

    def receive(self, deadline: Deadline) -> bytes:
        """Wait for bytes; b"" at the end of the stream. Raises OSError."""
        while True:
            if self._secure is None or not self._secure.pending():
                self._wait(deadline, select.POLLIN)
            try:
                return self._socket.recv(_PIECE_BYTES)
            except _NOT_YET:  # of TLS, what came may be less than a record
                pass

    def close(self) -> None:
        self.state = "closed"
        self._socket.close()

    def _wait(self, deadline: Deadline, readiness: int) -> None:
        wait_s = deadline.wait_s(self._socket)
        if readiness != select.POLLIN:
            self._poll.modify(self._socket, readiness)
        ready = self._poll.poll(wait_s * 1000)
        if readiness != select.POLLIN:
            self._poll.modify(self._socket, select.POLLIN)
        if not ready:
            raise TimeoutError("timed out")

    def _is_readable(self) -> bool:
        return bool((self._secure and self._secure.pending()) or self._poll.poll(0))
