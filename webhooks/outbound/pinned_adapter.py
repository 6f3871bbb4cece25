"""A requests adapter that connects to the very address that was checked, under one total deadline.

``requests`` has a timeout for each socket operation only, and looks names up by itself. Here urllib3's
connection class gets its sockets from a connector, and a watchdog may shut a socket down from outside.
"""

import contextlib
import functools
import socket
import ssl
import threading
import time
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from webhooks.errors import ConnectionFailed, TargetRefused
from webhooks.outbound.address_rules import Address, AddressRules
from webhooks.outbound.deadline import Deadline
from webhooks.outbound.forward_proxy import Proxy, authority
from webhooks.outbound.resolver import Resolver

KEPT_S: Final = 60.0  # a kept connection's address counts as checked for so long

# The deadline of the attempt that a thread makes: urllib3 has no way to hand it through to the connection.
_current = threading.local()


@contextlib.contextmanager
def deadline_scope(deadline: Deadline) -> Any:
    """Put the connections that this thread opens or uses meanwhile under a deadline."""
    _current.deadline = deadline
    try:
        yield
    finally:
        del _current.deadline
        deadline.handle = None


class Connector:
    """Opens connections: look up, check, connect to just the address that was checked. One a process."""

    def __init__(
        self, rules: AddressRules, proxy: Proxy | None = None, resolver: Resolver | None = None
    ) -> None:
        self._rules = rules
        self.proxy = proxy
        self._resolver = resolver or Resolver()

    def connect(self, host: str, port: int, *, tls: bool) -> tuple[socket.socket, Address]:
        """A connection to ``host``, or to the proxy that leads there, and the address that was checked.

        Raises:
            TargetRefused: the rules forbid its every address. ConnectionFailed, OSError: none answers.
        """
        deadline: Deadline = _current.deadline
        refusal: TargetRefused | None = None
        failure: OSError | ConnectionFailed | None = None
        addresses = self._resolver.addresses(host, deadline.left_s())
        for failed, address in enumerate(addresses):
            try:
                self._rules.check(address)
                # An address that does not answer leaves time for the next one.
                wait_s = max(deadline.left_s(), 0.001) / (len(addresses) - failed)
                if self.proxy:
                    return self.proxy.connect(address, port, wait_s, deadline, tunnel=tls), address
                return socket.create_connection((str(address), port), timeout=wait_s), address
            except TargetRefused as error:
                refusal = error
            except (OSError, ConnectionFailed) as error:
                failure = error
        raise failure or refusal or ConnectionFailed(f"Host {host} has no address.")


class _Pinned(HTTPConnection):
    connector: Connector
    tls = False
    _handle: socket.socket | None = None
    _checked_s = 0.0
    _address: Address

    def _new_conn(self) -> socket.socket:
        deadline: Deadline = _current.deadline
        sock, self._address = self.connector.connect(self._dns_host, self.port, tls=self.tls)
        sock.settimeout(max(deadline.left_s(), 0.001))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._handle = sock.dup()
        self._checked_s = time.monotonic()
        deadline.handle = self._handle
        if deadline.aborted_by:  # before the watchdog could see the handle
            deadline.abort(deadline.aborted_by)
        return sock

    @property
    def is_connected(self) -> bool:
        return super().is_connected and time.monotonic() - self._checked_s < KEPT_S

    def request(self, method: str, url: str, body: Any = None, headers: Any = None, **more: Any) -> None:
        deadline: Deadline = _current.deadline
        deadline.reused = self.sock is not None
        deadline.handle = self._handle
        if self.connector.proxy and not self.tls:
            if self.sock is None:
                self.connect()  # only now is the address known that the proxy is asked for
            host = f"[{self.host}]" if ":" in self.host else self.host
            headers = {"Host": host if self.port == 80 else f"{host}:{self.port}", **headers}
            headers |= self.connector.proxy.headers
            url = f"http://{authority(self._address, self.port)}{url}"
        super().request(method, url, body, headers, **more)

    def close(self) -> None:
        super().close()
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.close()


class _PinnedTLS(_Pinned, HTTPSConnection):
    tls = True


def ssl_context(ca: str | None, verify: bool) -> ssl.SSLContext:
    """Trust the authority ``ca`` (PEM) alone, else those of the machine and of certifi.

    Without ``verify`` anybody is trusted.
    """
    if verify and ca is None:
        return _common_ssl_context()
    context = _lenient(ssl.create_default_context(cadata=ca))
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _lenient(context: ssl.SSLContext) -> ssl.SSLContext:
    # From Python 3.13 on also the form of an authority's own certificate is checked (RFC 5280, section 4.2),
    # which many in-house authorities fail. Signature, name and dates are checked all the same.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


@functools.cache
def _common_ssl_context() -> ssl.SSLContext:
    context = _lenient(ssl.create_default_context())
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    return context


@functools.cache  # classes cost memory: a process has one connector, and thousands of lanes
def _pool_classes(connector: Connector) -> dict[str, type[HTTPConnectionPool]]:
    plain = type("PinnedConnection", (_Pinned,), {"connector": connector})
    secure = type("PinnedTLSConnection", (_PinnedTLS,), {"connector": connector})
    return {
        "http": type("PinnedPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("PinnedTLSPool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
    }


class PinnedAdapter(HTTPAdapter):
    """One webhook's connections. Redirects, cookies and environment proxies have no part in it."""

    def __init__(self, connector: Connector, connections: int, context: ssl.SSLContext) -> None:
        self._connector, self._context = connector, context
        super().__init__(pool_connections=1, pool_maxsize=connections)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=self._context)
        self.poolmanager.pool_classes_by_scheme = _pool_classes(self._connector)

    def cert_verify(self, *_: Any) -> None:
        """Do nothing: the context says whom to trust."""

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        # The base class also fills a cookie jar, a tenth of the whole attempt's time.
        response = requests.Response()
        response.status_code = resp.status
        response.headers = resp.headers
        response.reason = resp.reason
        response.raw = resp
        return response
