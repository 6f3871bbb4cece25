"""Gunicorn's threaded worker with a waiting room: a connection gets a thread when its request is there.

As it comes, gthread gives a thread to every new connection for five seconds and to every half request for
as long as the caller likes: a few dozen callers, none with a token, would keep the hook from everybody. And
the loop that feeds the threads waits two seconds for each caller who does not hang up. Here the poller holds
all of them: it looks at what has come without taking it (MSG_PEEK), and the kernel says when there is more
than that (SO_RCVLOWAT).
"""

import re
import selectors
import socket
import time
from concurrent.futures import Future
from functools import partial
from typing import Any, Final

from gunicorn.workers.gthread import ThreadWorker

PATIENCE_SECONDS: Final = 10.0  # for a request's head, and its body if that is small
_HEAD_BYTES: Final = 1 << 16
_BODY_BYTES: Final = 1 << 16  # a longer body is read by its thread, after the caller was asked for a token
_LINGER_SECONDS: Final = 2.0  # for a caller who has its answer (RFC 9112, section 9.6)
_REST_SECONDS: Final = 0.2  # for the rest of a body that nobody wanted
_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,18})[ \t]*\r\n", re.IGNORECASE)
_EXPECTS: Final = re.compile(rb"\r\nexpect:", re.IGNORECASE)

_TOO_SLOW: Final = (
    408,
    "Request Timeout",
    f"The request was not there within {PATIENCE_SECONDS:.0f} seconds.",
)
_TOO_LONG: Final = (
    431,
    "Request Header Fields Too Large",
    f"The request's head is longer than {_HEAD_BYTES:,} bytes.",
)


class PatientWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """A connection is counted in ``nr_conns`` from accept on, in whichever room it is."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Deadline by the monotonic clock, and the bytes that were there at the last look.
        self._waiting: dict[Any, tuple[float, int]] = {}
        self._leaving: dict[Any, float] = {}

    def enqueue_req(self, conn: Any) -> None:
        """A connection is new, or has bytes of its next request."""
        if conn.sock.family == socket.AF_UNIX or _read_ahead(conn):
            super().enqueue_req(conn)  # a proxy on this machine; or the parser has taken a part already
            return
        conn.sock.setblocking(False)
        self._waiting[conn] = (time.monotonic() + PATIENCE_SECONDS, 0)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._look, conn))
        self._look(conn, conn.sock)

    def _look(self, conn: Any, sock: socket.socket) -> None:
        deadline, before = self._waiting[conn]
        try:
            data = sock.recv(_HEAD_BYTES + _BODY_BYTES, socket.MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        missing = _missing(data)
        if missing and len(data) >= _HEAD_BYTES and b"\r\n\r\n" not in data:
            self._refuse(conn, *_TOO_LONG)
        elif missing and len(data) > before:
            self._waiting[conn] = (deadline, len(data))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, len(data) + missing)
        else:  # all is there; or nothing more will come, and the parser says what that means
            self._take(self._waiting, conn)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
            conn.data_ready = True
            super().enqueue_req(conn)

    def finish_request(self, conn: Any, fs: "Future[Any]") -> None:
        """The thread is done with it."""
        if fs.cancelled() or fs.exception() or fs.result():
            super().finish_request(conn, fs)
        else:
            self._leave(conn)

    def murder_pending(self) -> None:
        """Called once a second at least: end what has waited long enough."""
        super().murder_pending()
        now = time.monotonic()
        for conn, (deadline, there) in list(self._waiting.items()):
            if there and deadline <= now:
                self._refuse(conn, *_TOO_SLOW)
            elif deadline <= now or (not there and not self.alive):
                self._end(self._waiting, conn)
        for conn, deadline in list(self._leaving.items()):
            if deadline <= now:
                self._end(self._leaving, conn)

    def _keepalive_after(self, conn: Any, keepalive: bool) -> bool:
        return keepalive and bool(conn.parser.finish_body(deadline=time.monotonic() + _REST_SECONDS))

    def _refuse(self, conn: Any, status: int, title: str, detail: str) -> None:
        self._take(self._waiting, conn)
        body = f'{{"type": "about:blank", "title": "{title}", "status": {status}, "detail": "{detail}"}}'
        head = f"HTTP/1.1 {status} {title}\r\nContent-Type: application/problem+json\r\n"
        try:
            conn.sock.send(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())
        except OSError as error:
            self.log.debug("no answer could be given: %s", error)
        self._leave(conn)

    def _leave(self, conn: Any) -> None:
        """Half-close, and take in what still comes: closed at once, the caller might not see its answer."""
        self._leaving[conn] = time.monotonic() + _LINGER_SECONDS
        try:
            conn.sock.shutdown(socket.SHUT_WR)
            conn.sock.setblocking(False)
            conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._drain, conn))
        except (OSError, ValueError):  # it has gone, or its thread closed it
            self._end(self._leaving, conn)

    def _drain(self, conn: Any, sock: socket.socket) -> None:
        try:
            more = sock.recv(_BODY_BYTES)
        except BlockingIOError:
            return
        except OSError:
            more = b""
        if not more:
            self._end(self._leaving, conn)

    def _take(self, room: dict[Any, Any], conn: Any) -> None:
        del room[conn]
        try:
            self.poller.unregister(conn.sock)
        except (KeyError, ValueError):
            self.log.debug("a connection was not in the poller")

    def _end(self, room: dict[Any, Any], conn: Any) -> None:
        self._take(room, conn)
        self.nr_conns -= 1
        conn.close()


def _read_ahead(conn: Any) -> bool:
    return conn.parser is not None and bool(conn.parser.unreader.buf.getvalue())


def _missing(data: bytes) -> int:
    """How many bytes at least a request that begins with ``data`` still needs to be worth a thread."""
    head, end, body = data.partition(b"\r\n\r\n")
    if not end:
        return 1
    length = _LENGTH.search(head + b"\r\n")
    if length is None or int(length[1]) > _BODY_BYTES or _EXPECTS.search(head):
        return 0
    return max(0, int(length[1]) - len(body))
