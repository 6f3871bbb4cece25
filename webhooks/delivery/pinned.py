"""A requests adapter that connects to the very address that was checked, under one total deadline.

``requests`` has a timeout for each socket operation only, and looks names up by itself. Here the connection
class of urllib3 is given its address by us, and a watcher may shut the socket down from outside.
"""

import contextlib
import socket
import threading
import time
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from webhooks.delivery.targets import AddressRules, Resolver
from webhooks.errors import ConnectionFailed, TargetRefused

KEPT_SECONDS: Final = 60.0  # a kept connection's address counts as checked this long


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


_current = threading.local()


@contextlib.contextmanager
def under(deadline: Deadline) -> Any:
    """Connections that this thread opens or uses meanwhile belong to the deadline."""
    _current.deadline = deadline
    try:
        yield
    finally:
        del _current.deadline
        deadline.handle = None


class Gate:
    """Opens connections: look up, judge, connect to just what was judged. One for each process."""

    def __init__(self, rules: AddressRules, resolver: Resolver | None = None) -> None:
        self._rules = rules
        self._resolver = resolver or Resolver()

    def connect(self, host: str, port: int) -> socket.socket:
        deadline: Deadline = _current.deadline
        refusal: TargetRefused | None = None
        failure: OSError | None = None
        for address in self._resolver.addresses(host, deadline.left()):
            try:
                self._rules.judge(address)
                return socket.create_connection((str(address), port), timeout=max(deadline.left(), 0.001))
            except TargetRefused as error:
                refusal = error
            except OSError as error:
                failure = error
        if failure is not None:
            raise failure
        raise refusal or ConnectionFailed(f"Host {host} has no address.")


class _Pinned(HTTPConnection):
    gate: Gate
    _handle: socket.socket | None = None
    _checked_at = 0.0

    def _new_conn(self) -> socket.socket:
        sock = self.gate.connect(self._dns_host, self.port)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._handle = sock.dup()
        self._checked_at = time.monotonic()
        _current.deadline.handle = self._handle
        return sock

    @property
    def is_connected(self) -> bool:
        return super().is_connected and time.monotonic() - self._checked_at < KEPT_SECONDS

    def request(self, *args: Any, **kwargs: Any) -> None:
        deadline: Deadline = _current.deadline
        deadline.reused = self.sock is not None
        deadline.handle = self._handle
        super().request(*args, **kwargs)

    def close(self) -> None:
        super().close()
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.close()


class _PinnedTLS(_Pinned, HTTPSConnection):
    pass


def _pool_classes(gate: Gate) -> dict[str, type[HTTPConnectionPool]]:
    plain = type("PinnedConnection", (_Pinned,), {"gate": gate})
    secure = type("PinnedTLSConnection", (_PinnedTLS,), {"gate": gate})
    return {
        "http": type("PinnedPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("PinnedTLSPool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
    }


class PinnedAdapter(HTTPAdapter):
    """One webhook's connections. Redirects, cookies and environment proxies have no part in it."""

    def __init__(self, gate: Gate, connections: int) -> None:
        self._gate = gate
        super().__init__(pool_connections=1, pool_maxsize=connections)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _pool_classes(self._gate)

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        # The base class also fills a cookie jar, a tenth of the whole attempt's time.
        response = requests.Response()
        response.status_code = resp.status
        response.headers = resp.headers
        response.reason = resp.reason
        response.raw = resp
        return response
