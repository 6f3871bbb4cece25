"""Web processes: waitress, on the supervisor's listening socket.

waitress buffers requests and responses in its loop, so that threads never wait for callers. This module adds
a loop whose cycle costs the same with 10 connections as with 4,000 (epoll), and a limit on connections,
beyond which the connection that is idle longest is closed.
"""

import contextlib
import heapq
import logging
import select
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher

from webhooks.runtime import logs, open_files
from webhooks.runtime.http_connection import Connection, serving
from webhooks.runtime.http_request import Request
from webhooks.settings import load_settings

PROCESSES: Final = 2
# Three uploads, two other long bodies and two large batches may hold seven: the rest is for events.
_THREADS: Final = 12
# For pages, the API and public addresses: a crowd there neither fills the queue of events nor uses up the
# interpreter.
# A log-in, three slow test inboxes and two exports may hold six of the threads; two at a time work.
_PAGE_THREADS: Final = 7
_PAGES_AT_WORK: Final = 2
_SWITCH_SECONDS: Final = 0.0005  # Python's thread switch interval: the loop waits that long after each poll
_ACCEPTS: Final = 8  # new connections a cycle of the loop
_CONNECTIONS: Final = 4096
_OTHER_FILES: Final = 64  # databases, locks, Redis
_STOP_SECONDS: Final = 10.0
_HEAD_BYTES: Final = 1 << 16
_BUFFER_BYTES: Final = 1 << 20  # of a response, in the loop's buffer, before its thread has to wait


def serve(app: Any, listener: socket.socket, beat: Callable[[], None]) -> int:
    """Serve until SIGTERM, calling ``beat`` in each cycle of the loop. Returns the exit status."""
    logs.set_up("web", load_settings().log)
    logging.getLogger("waitress").setLevel(logging.WARNING)
    logging.getLogger("waitress").addFilter(_without_address)
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # else a line for each queued request
    sys.setswitchinterval(_SWITCH_SECONDS)
    server = WebServer(app, listener, _most_connections())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, server.stop)
    server.run(beat)
    return 0


def _most_connections() -> int:
    """Most connections that the limit of open files allows; each may send a file, which is open too."""
    allowed = open_files.allow(2 * _CONNECTIONS + _OTHER_FILES)
    return max(16, (allowed - _OTHER_FILES) // 2)


def _is_ingest(request: Request) -> bool:
    """Whether a phone system brings something, or a receiver fetches a recording."""
    path = request.path
    if path.startswith("/api/events"):
        return bool(request.command == "POST")
    return bool(path.startswith(("/api/media", "/api/pbx/")))


def _without_address(record: logging.LogRecord) -> bool:
    """Strip the address from waitress' line about a failed request: a token may stand in it."""
    record.msg, record.args = str(record.msg).removesuffix(" %s"), ()
    return True


class _Polled(dict[int, Any]):
    """waitress' map of handlers by descriptor, which polls each handler while it is in the map."""

    def __init__(self) -> None:
        super().__init__()
        self.epoll = select.epoll()
        self._masks: dict[int, int] = {}

    def __setitem__(self, fd: int, handler: Any) -> None:
        super().__setitem__(fd, handler)
        self.epoll.register(fd, select.EPOLLIN)
        self._masks[fd] = select.EPOLLIN

    def __delitem__(self, fd: int) -> None:
        super().__delitem__(fd)
        del self._masks[fd]
        self.epoll.unregister(fd)

    def poll_for_wanted(self, fd: int, happened: int = 0) -> None:
        """Poll for the events that the handler wants now.

        An event it no longer wants is dropped only once it ``happened``: to drop it costs a system call.
        """
        handler = self[fd]
        readable = select.EPOLLIN if handler.readable() else 0
        wanted = readable | (select.EPOLLOUT if handler.writable() else 0)
        mask = self._masks[fd]
        if wanted & ~mask or (happened or mask & select.EPOLLOUT) & mask & ~wanted:
            self._masks[fd] = wanted
            self.epoll.modify(fd, wanted)


class WebServer(TcpWSGIServer):  # type: ignore[misc]  # waitress has no types
    """Serves at most ``most`` connections at a time, on a socket that other processes may share."""

    channel_class = Connection
    accepting: bool

    def __init__(self, app: Any, listener: socket.socket, most: int) -> None:
        adjustments = Adjustments(
            sockets=[listener], threads=_THREADS, backlog=2048, ident="", log_socket_errors=False,
            clear_untrusted_proxy_headers=False,  # web/shared/trusted_proxy.py checks them
            max_request_header_size=_HEAD_BYTES, max_request_body_size=1 << 62,  # endpoints have limits
            outbuf_high_watermark=_BUFFER_BYTES, outbuf_overflow=1 << 40,  # no temporary files
        )  # fmt: skip
        adjustments.send_bytes = _BUFFER_BYTES  # a response goes out in one piece, from the loop
        self._polled = _Polled()
        self._most = most
        self._pages = ThreadedTaskDispatcher()
        self._pages.set_thread_count(_PAGE_THREADS)
        self._pages_at_work = threading.BoundedSemaphore(_PAGES_AT_WORK)
        self._touched: deque[Connection] = deque()
        self._woken = self.stopping = False
        sockinfo = (listener.family, listener.type, listener.proto, listener.getsockname())
        super().__init__(
            app, map=self._polled, _start=False, _sock=listener, adj=adjustments, sockinfo=sockinfo,
            bind_socket=False,
        )  # fmt: skip

    def run(self, beat: Callable[[], None]) -> None:
        self.accept_connections()
        check_at = deadline = 0.0
        while not self.stopping or (self.active_channels and time.monotonic() < deadline):
            beat()
            self._cycle(0.05 if self.stopping else 1.0)
            now = time.monotonic()
            if self.stopping and not deadline:
                deadline = now + _STOP_SECONDS
                self._pause()
            if now >= check_at or self.stopping:
                check_at = now + 1.0
                self._check_connections(now)

    def stop(self, *_: Any) -> None:
        """Finish the requests that are there, and end. Safe in a signal handler."""
        self.stopping = True
        super().pull_trigger()

    def add_task(self, connection: Connection) -> None:
        """Give the connection's next request to a thread."""
        (self.task_dispatcher if _is_ingest(connection.requests[0]) else self._pages).add_task(connection)

    def place_of(self, request: Request) -> contextlib.AbstractContextManager[Any]:
        """Return what a thread has to hold while it works at the request."""
        return contextlib.nullcontext() if _is_ingest(request) else self._pages_at_work

    def pull_trigger(self) -> None:
        """Tell the loop, from a thread, that the thread's connection wants other events now."""
        self._touched.append(serving.connection)
        if not self._woken:
            self._woken = True
            super().pull_trigger()

    def readable(self) -> bool:
        return bool(self.accepting)

    def handle_accept(self) -> None:
        for _ in range(_ACCEPTS):
            if len(self.active_channels) >= self._most and not self._make_way():
                self._pause()
                return
            try:
                accepted = self.accept()
            except OSError:  # no more descriptors
                if not self._make_way():
                    self._pause()
                return
            if accepted is None:
                return
            sock, address = accepted
            self.set_socket_options(sock)
            fd = sock.fileno()
            self._handle(fd, self.channel_class(self, sock, address, self.adj, self._map), select.EPOLLIN)

    def _cycle(self, wait_s: float) -> None:
        callers = False
        for fd, event in self._polled.epoll.poll(wait_s):
            handler = self._polled.get(fd)
            if handler is self:
                callers = True  # accepted last: a descriptor closed in this cycle must not be reused in it
            elif handler is not None:
                self._handle(fd, handler, event)
        self._woken = False
        while self._touched:
            self._refresh(self._touched.popleft())
        if callers and self.accepting:
            self.handle_accept()

    def _handle(self, fd: int, handler: Any, event: int) -> None:
        unwanted_read = 0 if handler.readable() else select.EPOLLIN
        unwanted = unwanted_read | (0 if handler.writable() else select.EPOLLOUT)
        wasyncore.readwrite(handler, event & ~unwanted)
        if self._polled.get(fd) is handler:
            self._polled.poll_for_wanted(fd, event)

    def _refresh(self, connection: Connection) -> None:
        fd = connection._fileno
        if fd is None:
            return
        if connection.writable():
            connection.handle_write()
        connection.go_on()
        if self._polled.get(fd) is connection:
            self._polled.poll_for_wanted(fd)

    def _check_connections(self, now: float) -> None:
        if not self.accepting and not self.stopping:
            self.accepting = True
            self._polled.poll_for_wanted(self._fileno)
        for connection in list(self.active_channels.values()):
            connection.check_limits(now, self.stopping)
            self._refresh(connection)

    def _pause(self) -> None:
        """Leave new callers in the kernel's queue, for a second at most: all connections are busy."""
        self.accepting = False
        self._polled.poll_for_wanted(self._fileno, select.EPOLLIN)

    def _make_way(self) -> bool:
        """Close the connections that are idle longest, a few at once, as finding them takes time.

        Returns False if none is idle.
        """
        idle = [connection for connection in self.active_channels.values() if connection.can_go]
        for connection in heapq.nsmallest(self._most // 32 + 1, idle, lambda connection: connection.moved_at):
            connection.drop()
        return bool(idle)
