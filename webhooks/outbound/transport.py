"""A transport adapter for requests over connections of our own, under one total deadline.

requests' own has a timeout for each socket operation only, looks names up by itself, and takes three times
as long: most of it in urllib3 and http.client.
"""

import contextlib
import datetime
import functools
import ssl
from typing import Any

import requests
from requests.adapters import BaseAdapter
from requests.cookies import RequestsCookieJar
from requests.structures import CaseInsensitiveDict

from webhooks.outbound.answer import Answer
from webhooks.outbound.connection import Connection
from webhooks.outbound.connector import Connector
from webhooks.outbound.deadline import Deadline
from webhooks.outbound.forward_proxy import authority
from webhooks.outbound.target import Target, target_of
from webhooks.outbound.tls import secured


class Transport(BaseAdapter):
    """One webhook's connections, to one host. Threads may share it.

    Redirects, cookies and environment proxies have no part in it. At most ``connections`` are kept idle.
    """

    def __init__(self, connector: Connector, connections: int, context: ssl.SSLContext) -> None:
        super().__init__()
        self._connector, self._connections, self._context = connector, connections, context
        self._idle: list[Connection] = []
        self._session: ssl.SSLSession | None = None
        self._closed = False

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = True,
        timeout: Any = None,
        verify: Any = None,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        """Send a request, and read its answer's head; ``raw``, an ``Answer``, reads the body.

        ``timeout`` is the Deadline of all of it; the context and the connector say all else. A kept
        connection that the receiver had closed meanwhile is no failure of its: where no byte of an answer
        came, the request goes out once again.

        Raises:
            AttemptError, OSError: no answer came.
        """
        deadline: Deadline = timeout
        target = target_of(request.url or "")
        connection = self._kept()
        if connection is not None:
            answer = Answer(connection, deadline)
            try:
                return self._exchange(request, target, connection, answer, deadline)
            except OSError:
                if answer.begun or deadline.stopped or deadline.left_s() <= 0:
                    raise
                self._close_idle()  # they have met the same fate
        connection = self._open(target, deadline)
        return self._exchange(request, target, connection, Answer(connection, deadline), deadline)

    def close(self) -> None:
        """Close the idle connections, and each that is in use once its answer is read."""
        self._closed = True
        self._close_idle()

    def _exchange(
        self,
        request: requests.PreparedRequest,
        target: Target,
        connection: Connection,
        answer: Answer,
        deadline: Deadline,
    ) -> requests.Response:
        try:
            # A receiver may answer, and hang up, before it has read all: its answer counts.
            with contextlib.suppress(ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
                connection.send(self._written(request, target, connection), deadline)
            answer.read_head()
        except BaseException:
            connection.close()
            raise
        if target.secure and not connection.was_idle:
            self._session = connection.session
        return _Response(request, answer)

    def _written(self, request: requests.PreparedRequest, target: Target, connection: Connection) -> bytes:
        """A request as it goes over the wire (RFC 9112, section 2.1)."""
        path, proxy = target.path, self._connector.proxy
        lines = [
            f"Host: {target.authority}",
            *[f"{name}: {value}" for name, value in request.headers.items()],
        ]
        if proxy and not target.secure:
            path = f"http://{authority(connection.address, target.port)}{path}"
            lines += [f"{name}: {value}" for name, value in proxy.headers.items()]
        head = "\r\n".join((f"{request.method} {path} HTTP/1.1", *lines, "", ""))
        body = request.body or b""
        return head.encode("latin-1") + (body if isinstance(body, bytes) else body.encode())

    def _kept(self) -> Connection | None:
        """An idle connection, now in use."""
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:  # none, or another thread was quicker
                return None
            if connection.take():
                return connection

    def _open(self, target: Target, deadline: Deadline) -> Connection:
        sock, address = self._connector.connect(target.host, target.port, deadline, tunnel=target.secure)
        if target.secure:
            sock = secured(sock, self._context, target.host, deadline, self._session)
        return Connection(sock, address, self._give_back)

    def _give_back(self, connection: Connection) -> None:
        if self._closed or len(self._idle) >= self._connections:
            connection.close()
        else:
            self._idle.append(connection)

    def _close_idle(self) -> None:
        while self._idle:
            with contextlib.suppress(IndexError):  # another thread took the last one
                self._idle.pop().close()


class _Response(requests.Response):
    """Made of an answer. What nobody asks for is not made: a delivery has no use for a cookie jar."""

    _content: Any = False  # not read
    _content_consumed = False
    _next = encoding = None
    history: Any = ()
    elapsed = datetime.timedelta()

    def __init__(self, request: requests.PreparedRequest, answer: Answer) -> None:
        self.raw = self._answer = answer
        self.request = request
        self.status_code, self.reason, self.url = answer.status, answer.reason, request.url or ""

    @functools.cached_property
    def cookies(self) -> RequestsCookieJar:  # type: ignore[override]
        return RequestsCookieJar()

    @functools.cached_property
    def headers(self) -> CaseInsensitiveDict[str]:  # type: ignore[override]
        headers: CaseInsensitiveDict[str] = CaseInsensitiveDict()
        for name, value in self._answer.headers:
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        return headers
