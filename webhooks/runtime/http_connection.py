"""A caller's connection: waitress's channel, with a time limit on every wait.

Only the server's loop waits for callers. A thread gets a request when it is complete. A request with a long
body is handed over as soon as its head is complete, so that the application can refuse it; the thread then
reads the body as it comes.
"""

import contextlib
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final

from waitress.channel import ClientDisconnected, HTTPChannel
from waitress.utilities import Error

from webhooks.runtime.http_request import Request
from webhooks.runtime.http_response import CYCLE_BYTES, Refusal, Response, Stretch

REQUEST_SECONDS: Final = 10.0  # for a request's head, and its body if that is short
KEEP_ALIVE_SECONDS: Final = 75.0
SEND_SECONDS: Final = 30.0  # without a byte of the response taken
_RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER: close without the polite end
_LINGER_SECONDS: Final = (2.0, 10.0)  # without a byte, and in all, after the response (RFC 9112, 9.6)
_PIECE_BYTES: Final = 1 << 18
_STREAM_BYTES: Final = 1 << 16  # of a streamed answer, in the buffer, before its thread waits for the caller

serving: Final = threading.local()  # ``connection``: the one whose request this thread serves


class _Timeout(Error):  # type: ignore[misc]  # waitress has no types
    code = HTTPStatus.REQUEST_TIMEOUT


class Connection(HTTPChannel):  # type: ignore[misc]
    """A connection. The loop calls its methods; a thread calls ``service`` and what that calls."""

    parser_class = Request
    task_class = Response
    error_task_class = Refusal
    request: Request | None
    will_close: bool

    def __init__(self, *arguments: Any, **more: Any) -> None:
        self.began_at = self.moved_at = time.monotonic()  # the request's first byte; the last byte in or out
        self.served = self.lingering = self.half_closed = False
        self._left_in_cycle = CYCLE_BYTES
        self._ahead = b""  # bytes of the next request, while this one is not answered
        self._held_until = 0.0  # an answer that is kept back
        self._streams = self._broken = False
        self._place: contextlib.AbstractContextManager[Any] = contextlib.nullcontext()
        super().__init__(*arguments, **more)

    # --- in ---

    def readable(self) -> bool:
        if self.lingering:
            return True
        if self.half_closed or self.will_close or self.close_when_flushed or self._ahead:
            return False
        if self.request is not None and self.request.handed and self.request.body is not None:
            return not self.request.body.full
        return not self.requests and not self.total_outbufs_len

    def handle_read(self) -> None:
        request = self.request
        size = _PIECE_BYTES if self.lingering or (request and request.content_length) else self.adj.recv_bytes
        try:
            data = self.socket.recv(size)
        except BlockingIOError:
            return
        except OSError:
            self.drop()
            return
        if data:
            self.moved_at = time.monotonic()
            self.received(data)
        elif self.lingering or not (self.request or self.requests or self.total_outbufs_len):
            self.drop()
        else:  # the caller may still read the response
            self.half_closed = True
            if self.request is not None:
                self._end_request("broke off")

    def received(self, data: bytes) -> None:
        with self.requests_lock:
            if self.lingering or self.will_close or self.close_when_flushed:
                return
            while data:
                request = self.request
                if request is None:
                    if not self.idle:  # else a caller that reads no responses would get several threads
                        self._ahead = data
                        return
                    request = self.request = self.parser_class(self.adj)
                    self.began_at = self.moved_at
                data = data[request.received(data) :]
                self._advance(request)

    def go_on(self) -> None:
        """Take up the bytes of the next request, once the response has gone."""
        if self._ahead and self.idle:
            data, self._ahead = self._ahead, b""
            self.received(data)

    def _advance(self, request: Request) -> None:
        if request.completed:
            self.sent_continue = False
            self.request = None
            if request.body is not None:
                request.body.end("has broken chunks" if request.error else "")
            if not request.empty and not request.handed:
                self._hand_over(request)
        elif request.long and not request.handed:
            body = request.body
            assert body is not None
            request.early = True
            body.taken = self.server.pull_trigger
            if request.expect_continue:
                body.wanted = self._continue
            request.expect_continue = False
            self._hand_over(request)
        elif request.expect_continue and request.headers_finished and not self.requests:
            self.send_continue()

    def _continue(self) -> None:
        """Send the interim response, from a thread, when the application first reads the body."""
        interim = b"HTTP/1.1 100 Continue\r\n\r\n"
        with self.outbuf_lock, contextlib.suppress(ClientDisconnected, OSError):
            if self.total_outbufs_len:  # a response is on its way: queue behind it
                self.write_soon(interim)
            elif self.connected:
                self.send(interim, do_close=False)

    def _hand_over(self, request: Request) -> None:
        request.handed = self.served = True
        self.requests.append(request)
        if len(self.requests) == 1:
            self.server.add_task(self)

    def _end_request(self, fault: str, error: Error | None = None) -> None:
        with self.requests_lock:
            request = self.request
            if request is not None:
                request.end(fault)
                request.error = error or request.error
                self._advance(request)

    # --- out ---

    def service(self) -> None:
        """Serve a request. Called in a thread."""
        serving.connection = self
        self._streams = False
        self._place = self.server.place_of(self.requests[0])
        with self._place:
            super().service()

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """In a thread: let others work while this request only waits."""
        self._place.__exit__(None, None, None)
        try:
            yield
        finally:
            self._place.__enter__()

    def hold(self, seconds: float) -> None:
        """In a thread: keep the answer back for so long, or a second more. No thread waits meanwhile."""
        self._held_until = time.monotonic() + seconds

    def stream(self) -> None:
        """In a thread: send each piece of the answer as it is made. No more is made than the caller takes."""
        self._streams = True

    def write_soon(self, data: bytes) -> int:
        if not self._streams:
            return int(super().write_soon(data))
        with self.waiting(), self.outbuf_lock:
            while self.connected and self.total_outbufs_len > _STREAM_BYTES:
                self.outbuf_lock.wait()
        written = int(super().write_soon(data))
        self.server.pull_trigger()
        return written

    def break_off(self) -> None:
        """In a thread: end an answer that cannot be finished, so that nobody takes it for whole."""
        self._broken = True

    @property
    def held(self) -> bool:
        return time.monotonic() < self._held_until

    def writable(self) -> bool:
        if self.held:
            return False
        if self.requests and not self.will_close:
            return bool(self.total_outbufs_len >= (1 if self._streams else self.adj.send_bytes))
        return bool(super().writable())

    def handle_write(self) -> None:
        self._left_in_cycle = CYCLE_BYTES
        if self._streams and self.requests:
            self._flush_exception(self._flush_some_if_lockable)
        super().handle_write()
        self.go_on()

    def send(self, data: bytes | Stretch, do_close: bool = True) -> int:
        if not isinstance(data, Stretch):
            sent: int = super().send(data, do_close)
        elif self._left_in_cycle <= 0:
            sent = 0
        else:
            try:
                sent = os.sendfile(self.socket.fileno(), *data)
            except BlockingIOError:
                sent = 0
            self._left_in_cycle -= sent
        if sent:
            self.moved_at = time.monotonic()
        return sent

    # --- the end ---

    def handle_close(self) -> None:
        """Half-close after the last response and read on: a reset might destroy it (RFC 9112, 9.6).

        One that broke off is reset: a caller of HTTP/1.0 would take the end for that of a whole answer.
        """
        if self._broken and self.connected:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self.drop()
            return
        if self.will_close and self.connected and not self.lingering:
            self.lingering, self.will_close = True, False
            self.began_at = self.moved_at = time.monotonic()
            try:
                self.socket.shutdown(socket.SHUT_WR)
                return
            except OSError:
                pass  # the caller has gone
        self.drop()

    def drop(self) -> None:
        """Close at once, whatever is in progress."""
        if self.request is not None:
            self.request.end("broke off")
        super().handle_close()

    @property
    def idle(self) -> bool:
        return not self.requests and not self.total_outbufs_len

    @property
    def can_go(self) -> bool:
        """Whether it may be closed for another's sake."""
        return self.idle or self.held

    @property
    def _idle_limit_s(self) -> float:
        return KEEP_ALIVE_SECONDS if self.served else REQUEST_SECONDS

    def check_limits(self, now: float, stopping: bool) -> None:
        """Close or refuse what has exceeded its time limit."""
        still_s = now - self.moved_at
        if self.lingering:
            if stopping or still_s > _LINGER_SECONDS[0] or now - self.began_at > _LINGER_SECONDS[1]:
                self.drop()
        elif not self.idle:
            if self.total_outbufs_len and still_s > SEND_SECONDS:
                self.drop()
        elif self.request is not None:
            if now - self.began_at > REQUEST_SECONDS:
                seconds = f"{REQUEST_SECONDS:.0f} seconds"
                late = _Timeout(f"The request did not arrive within {seconds}.")
                self._end_request("came too slowly", late)
        elif stopping or self.half_closed or still_s > self._idle_limit_s:
            self.drop()
