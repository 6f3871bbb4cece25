"""SPOKE_PROXY: a forward proxy that is asked for the very address that was checked."""

import base64
import socket
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote, urlsplit

from webhooks.cleaning import clean
from webhooks.errors import ConnectionFailed
from webhooks.outbound.address_rules import Address
from webhooks.outbound.deadline import Deadline
from webhooks.outbound.explain import message_of
from webhooks.outbound.salvage import Head, is_http, salvage

_HEAD_BYTES: Final = 256 << 10


def authority(address: Address, port: int) -> str:
    """``address:port`` as it stands in a request line."""
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


@dataclass(frozen=True)
class Proxy:
    """Address of a proxy. ``headers`` go with each request to it: its credentials, if it has any."""

    host: str
    port: int
    headers: dict[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, url: str | None) -> "Proxy | None":
        """The proxy of a URL ``http://[user:password@]host[:port]``; None for None."""
        if url is None:
            return None
        parts = urlsplit(url)
        headers = {}
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            headers["Proxy-Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        return cls(parts.hostname or "", parts.port or 80, headers)

    def connect(
        self, address: Address, port: int, wait_s: float, deadline: Deadline, *, tunnel: bool
    ) -> socket.socket:
        """Connect to the proxy; with ``tunnel`` through it to the address. At most ``wait_s`` to the proxy.

        Raises:
            ConnectionFailed: the proxy does not answer, or does not let us through.
        """
        try:
            sock = socket.create_connection((self.host, self.port), timeout=wait_s)
        except OSError as error:
            raise ConnectionFailed(
                f"The proxy {self.host}:{self.port} cannot be reached: {message_of(error)}."
            ) from None
        if tunnel:
            try:
                self._open_tunnel(sock, authority(address, port), deadline)
            except BaseException:
                sock.close()
                raise
        return sock

    def _open_tunnel(self, sock: socket.socket, target: str, deadline: Deadline) -> None:
        """Ask for a tunnel (RFC 9110, section 9.3.6)."""
        lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        try:
            deadline.limit(sock)
            sock.sendall("\r\n".join([*lines, "", ""]).encode("ascii"))
            answer = _read_head(sock, deadline)
        except OSError as error:
            raise ConnectionFailed(
                f"The proxy gave no answer to a request for {target}: {message_of(error)}."
            ) from None
        if answer is None:
            raise ConnectionFailed(f"The proxy gave no answer of HTTP to a request for {target}.")
        if not 200 <= answer.status < 300:
            raise ConnectionFailed(
                f"The proxy refused to connect to {target}: {answer.status} {clean(answer.reason)[:200]}."
            )


def _read_head(sock: socket.socket, deadline: Deadline) -> Head | None:
    """Read an answer's head, byte by byte: what is behind it belongs to whoever is behind the proxy.

    Returns None for what is no HTTP. Raises OSError.
    """
    seen = bytearray()
    while len(seen) < _HEAD_BYTES:
        deadline.limit(sock)
        byte = sock.recv(1)
        if not byte:
            break
        seen += byte
        if seen.endswith((b"\n\n", b"\n\r\n")):
            head = salvage(bytes(seen), ended=False)
            if head is not None or not is_http(bytes(seen)):
                return head
    return salvage(bytes(seen), ended=True)
