"""The web half: waitress in forked processes that share the supervisor's socket.

waitress buffers requests and answers in its loop, so that threads never wait for callers. What it lacks is
here: a loop whose turn costs the same with 10 connections and with 4,000 (epoll), and a limit of them beyond
which the oldest idle one makes way.
"""

import contextlib
import heapq
import logging
import resource
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

from webhooks.runtime import logs
from webhooks.runtime.http_connection import Connection, serving
from webhooks.runtime.http_request import Request
from webhooks.settings import load_settings

PROCESSES: Final = 2
# Three uploads, two other long bodies and two large batches may hold seven: the others are the hook's.
_THREADS: Final = 12
# Pages, and what anybody may ask for: a crowd there does not stand in the hook's queue. A log-in and three
# slow test inboxes may hold four of the threads; two at a time work, or a crowd would use a core up.
_PAGE_THREADS: Final = 5
_PAGES_AT_WORK: Final = 2
_SWITCH_SECONDS: Final = 0.0005  # of Python's threads: the loop waits for its turn after each look
_ACCEPTS: Final = 8  # new connections in one turn of the loop
_CONNECTIONS: Final = 4096
_OTHER_FILES: Final = 64  # databases, locks, Redis
_STOP_SECONDS: Final = 10.0
_HEAD_BYTES: Final = 1 << 16
_ANSWER_BYTES: Final = 1 << 20  # of an answer that wait for who takes it, before its thread waits too


def serve(app: Any, listener: socket.socket, beat: Callable[[], None]) -> int:
    """Be a web process until SIGTERM; call ``beat`` in each turn of the loop. Returns the exit status."""
    logs.set_up("web", load_settings().log)
    logging.getLogger("waitress").setLevel(logging.WARNING)
    logging.getLogger("waitress").addFilter(_without_address)
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a line for each request that waits
    sys.setswitchinterval(_SWITCH_SECONDS)
    server = WebServer(app, listener, _most_connections())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, server.stop)
    server.run(beat)
    return 0


def _most_connections() -> int:
    """What the limit of open files allows: a connection may have a file open that it is sent."""
    wanted = 2 * _CONNECTIONS + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        return max(16, (soft - _OTHER_FILES) // 2)
    return _CONNECTIONS


def _is_api(request: Request) -> bool:
    return bool(request.path.startswith("/api/"))


def _without_address(record: logging.LogRecord) -> bool:
    """waitress names the address of a request that failed, where a token may stand."""
    record.msg, record.args = str(record.msg).removesuffix(" %s"), ()
    return True


class _Polled(dict[int, Any]):
    """The loop's objects by descriptor: what enters is polled, what leaves is not."""

    def __init__(self) -> None:
        super().__init__()
        self.epoll = select.epoll()
        self._masks: dict[int, int] = {}

    def __setitem__(self, fd: int, one: Any) -> None:
        super().__setitem__(fd, one)
        self.epoll.register(fd, select.EPOLLIN)
        self._masks[fd] = select.EPOLLIN

    def __delitem__(self, fd: int) -> None:
        super().__delitem__(fd)
        del self._masks[fd]
        self.epoll.unregister(fd)

    def await_(self, fd: int, happened: int = 0) -> None:
        """Ask for what the object wants now; what it does not want is left in only until it happens."""
        one = self[fd]
        wanted = (select.EPOLLIN if one.readable() else 0) | (select.EPOLLOUT if one.writable() else 0)
        mask = self._masks[fd]
        if wanted & ~mask or (happened or mask & select.EPOLLOUT) & mask & ~wanted:
            self._masks[fd] = wanted
            self.epoll.modify(fd, wanted)


class WebServer(TcpWSGIServer):  # type: ignore[misc]  # waitress has no types
    """Accepts on a socket that others may share; ``most`` connections at a time."""

    channel_class = Connection
    accepting: bool

    def __init__(self, app: Any, listener: socket.socket, most: int) -> None:
        adjustments = Adjustments(
            sockets=[listener], threads=_THREADS, backlog=2048, ident="", log_socket_errors=False,
            clear_untrusted_proxy_headers=False,  # web/shared/trusted_proxy.py judges them
            max_request_header_size=_HEAD_BYTES, max_request_body_size=1 << 62,  # each door has its own
            outbuf_high_watermark=_ANSWER_BYTES, outbuf_overflow=1 << 40,  # no temporary files
        )  # fmt: skip
        adjustments.send_bytes = _ANSWER_BYTES  # an answer goes out in one piece, from the loop
        self._polled = _Polled()
        self._most = most
        self._pages = ThreadedTaskDispatcher()
        self._pages.set_thread_count(_PAGE_THREADS)
        self._pages_at_work = threading.BoundedSemaphore(_PAGES_AT_WORK)
        self._touched: deque[Connection] = deque()
        self._roused = self.stopping = False
        sockinfo = (listener.family, listener.type, listener.proto, listener.getsockname())
        super().__init__(
            app, map=self._polled, _start=False, _sock=listener, adj=adjustments, sockinfo=sockinfo,
            bind_socket=False,
        )  # fmt: skip

    def run(self, beat: Callable[[], None]) -> None:
        self.accept_connections()
        next_look = until = 0.0
        while not self.stopping or (self.active_channels and time.monotonic() < until):
            beat()
            self._turn(0.05 if self.stopping else 1.0)
            now = time.monotonic()
            if self.stopping and not until:
                until = now + _STOP_SECONDS
                self._pause()
            if now >= next_look or self.stopping:
                next_look = now + 1.0
                self._look_around(now)

    def stop(self, *_: Any) -> None:
        """From a signal: answer what is there, and end."""
        self.stopping = True
        super().pull_trigger()

    def add_task(self, connection: Connection) -> None:
        """Give the connection's next request to a thread."""
        (self.task_dispatcher if _is_api(connection.requests[0]) else self._pages).add_task(connection)

    def place_of(self, request: Request) -> contextlib.AbstractContextManager[Any]:
        """Return what a thread has to hold while it works at the request."""
        return contextlib.nullcontext() if _is_api(request) else self._pages_at_work

    def pull_trigger(self) -> None:
        """From a thread: its connection wants something else of the loop now."""
        self._touched.append(serving.connection)
        if not self._roused:
            self._roused = True
            super().pull_trigger()

    def readable(self) -> bool:
        return bool(self.accepting)

    def handle_accept(self) -> None:
        for _ in range(_ACCEPTS):
            if len(self.active_channels) >= self._most and not self._make_way():
                self._pause()
                return
            try:
                found = self.accept()
            except OSError:  # no more descriptors
                if not self._make_way():
                    self._pause()
                return
            if found is None:
                return
            sock, address = found
            self.set_socket_options(sock)
            fd = sock.fileno()
            self._handle(fd, self.channel_class(self, sock, address, self.adj, self._map), select.EPOLLIN)

    def _turn(self, seconds: float) -> None:
        came = False
        for fd, event in self._polled.epoll.poll(seconds):
            one = self._polled.get(fd)
            if one is self:
                came = True  # last: a number that is given back in this turn must not be taken in it
            elif one is not None:
                self._handle(fd, one, event)
        self._roused = False
        while self._touched:
            self._refresh(self._touched.popleft())
        if came and self.accepting:
            self.handle_accept()

    def _handle(self, fd: int, one: Any, event: int) -> None:
        unwanted = (0 if one.readable() else select.EPOLLIN) | (0 if one.writable() else select.EPOLLOUT)
        wasyncore.readwrite(one, event & ~unwanted)
        if self._polled.get(fd) is one:
            self._polled.await_(fd, event)

    def _refresh(self, connection: Connection) -> None:
        fd = connection._fileno
        if fd is None:
            return
        if connection.writable():
            connection.handle_write()
        connection.go_on()
        if self._polled.get(fd) is connection:
            self._polled.await_(fd)

    def _look_around(self, now: float) -> None:
        if not self.accepting and not self.stopping:
            self.accepting = True
            self._polled.await_(self._fileno)
        for connection in list(self.active_channels.values()):
            connection.grow_older(now, self.stopping)
            self._refresh(connection)

    def _pause(self) -> None:
        """All are busy: the others wait in the kernel's queue, a second at most."""
        self.accepting = False
        self._polled.await_(self._fileno, select.EPOLLIN)

    def _make_way(self) -> bool:
        """Close those that have been idle longest, some at a time: to find them is work."""
        idle = [one for one in self.active_channels.values() if one.idle or one.held]
        for connection in heapq.nsmallest(self._most // 32 + 1, idle, lambda one: one.moved):
            connection.drop()
        return bool(idle)
