"""A receiver over a bare socket, which answers just the bytes that a test gives it; and a sender to it."""

import contextlib
import ipaddress
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from webhooks.outbound.address_rules import AddressRules
from webhooks.outbound.connector import Connector
from webhooks.outbound.deadline import Deadline
from webhooks.outbound.sender import Message, Outcome
from webhooks.outbound.webhook_sender import Endpoint, WebhookSender

CLOSE: Final = "close"  # the connection
RESET: Final = "reset"  # the connection, by RST
HANG: Final = "hang"  # until the caller hangs up
DRIP: Final = "drip"  # the bytes before it, one at a time and again and again, until the caller hangs up

Script = Sequence[bytes | str]


class RawReceiver:
    """``scripts``: one for each request, in the order in which they come; the last one for all further ones.

    ``requests`` are the bytes that came, heads and bodies; ``connections`` how many were made.
    """

    def __init__(self, *scripts: Script, context: ssl.SSLContext | None = None, host: str = "127.0.0.1"):
        self._scripts, self._context = list(scripts), context
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, 0), family=family)
        self.port: int = self._socket.getsockname()[1]
        self.requests: list[bytes] = []
        self.connections = 0
        self.resumed: list[bool] = []
        self.certificates: list[bytes | None] = []
        self._callers: list[socket.socket] = []
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, path: str = "/") -> str:
        return f"{'https' if self._context else 'http'}://localhost:{self.port}{path}"

    def close(self) -> None:
        """Close it, and all connections to it."""
        for one in [self._socket, *self._callers]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                caller, _ = self._socket.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=[caller], daemon=True).start()

    def _serve(self, caller: socket.socket) -> None:
        with contextlib.suppress(OSError):
            caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context is not None:
                caller = self._context.wrap_socket(caller, server_side=True)
                self.resumed.append(bool(caller.session_reused))
                self.certificates.append(caller.getpeercert(binary_form=True))
            self._callers.append(caller)
            while self._answer(caller):
                pass
        caller.close()

    def _answer(self, caller: socket.socket) -> bool:
        """Read a request and answer it. Returns whether the connection stays open."""
        data = b""
        while not _is_whole(data):
            piece = caller.recv(65536)
            if not piece:
                return False
            data += piece
        with self._lock:
            self.requests.append(data)
            script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
        last = b""
        for step in script:
            if isinstance(step, bytes):
                caller.sendall(step)
                last = step
            elif step == RESET:
                caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return False
            elif step == CLOSE:
                return False
            elif step == HANG:
                caller.recv(1)
                return False
            else:
                _drip(caller, last)
                return False
        return True


Serve = Callable[..., RawReceiver]


def _is_whole(request: bytes) -> bool:
    head, end, body = request.partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return bool(end) and len(body) >= int(line.partition(b":")[2])
    return bool(end)


def _drip(caller: socket.socket, data: bytes) -> None:
    caller.settimeout(0.02)
    while True:
        for place in range(len(data)):
            caller.sendall(data[place : place + 1])
            with contextlib.suppress(TimeoutError):
                caller.recv(1)
                return


OK: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BODY: Final = '{"id":"1","to":"Zoë"}'
MESSAGE: Final = Message(7, 1, "6d739560-1741-11ed-861d-0242ac120002", BODY)
LOCAL: Final = Connector(
    AddressRules(allow=(ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")))
)


@contextlib.contextmanager
def sender_to(
    url: str, timeout_s: float = 20, connector: Connector = LOCAL, **more: Any
) -> Iterator[WebhookSender]:
    """A webhook's sender, without an appliance."""
    endpoint = Endpoint(1, url, ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",), timeout_s, **more)
    with contextlib.closing(WebhookSender(endpoint, connector, 4)) as sender:
        yield sender


def attempt(sender: WebhookSender) -> Outcome:
    return sender.send(MESSAGE, Deadline(sender.endpoint.timeout_s))
