"""A server that speaks as FreeSWITCH's event socket: checks the password, lists channels, plays events."""

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator

PASSWORD = "open-sesame"

Rows = list[dict[str, str]]


def message(kind: str, body: bytes) -> bytes:
    """A message with a body."""
    return f"Content-Length: {len(body)}\nContent-Type: {kind}\n\n".encode() + body


def written(fields: list[tuple[str, str]]) -> bytes:
    """An event, as FreeSWITCH writes it: names are UTF-8, as they came in by SIP."""
    return message("text/event-json", json.dumps(dict(fields), ensure_ascii=False).encode())


class EslServer:
    """``script`` gets each connection once it has been given its list of channels, in a thread of its own.

    ``rows`` is what it lists. ``greeting`` is what it says first, ``after`` what follows the subscription.
    """

    def __init__(
        self,
        script: Callable[[socket.socket], None] = lambda link: None,
        *,
        greeting: bytes = b"Content-Type: auth/request\n\n",
        after: bytes = b"",
    ) -> None:
        self.script, self._greeting, self._after = script, greeting, after
        self.rows: Rows = []
        self.logins = 0
        self.asked: list[str] = []
        self._links: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def cut(self) -> None:
        """Break all connections."""
        links, self._links = self._links, []
        for link in links:
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                link, _ = self._listener.accept()
            except OSError:
                return
            self._links.append(link)
            threading.Thread(target=self._serve, args=(link,), daemon=True).start()

    def _serve(self, link: socket.socket) -> None:
        with contextlib.suppress(OSError), link:
            link.sendall(self._greeting)
            for line in _commands(link):
                if line.startswith("auth ") and line != f"auth {PASSWORD}":
                    link.sendall(b"Content-Type: command/reply\nReply-Text: -ERR invalid\n\n")
                    link.sendall(message("text/disconnect-notice", b"Disconnected, goodbye.\n"))
                    return
                self.asked.append(line)
                if line.startswith("api "):
                    self._answer(link, line)
                else:
                    self.logins += line.startswith("auth ")
                    after = self._after if line.startswith("event ") else b""
                    link.sendall(b"Content-Type: command/reply\nReply-Text: +OK accepted\n\n" + after)

    def _answer(self, link: socket.socket, line: str) -> None:
        if "show channels" not in line:
            link.sendall(message("api/response", b"86400\n"))
            return
        found: dict[str, object] = {"row_count": len(self.rows)}
        if self.rows:
            found["rows"] = self.rows
        link.sendall(message("api/response", json.dumps(found, ensure_ascii=False).encode()))
        threading.Thread(target=self._play, args=(link,), daemon=True).start()

    def _play(self, link: socket.socket) -> None:
        with contextlib.suppress(OSError):
            self.script(link)


def _commands(link: socket.socket) -> Iterator[str]:
    rest = b""
    while data := link.recv(4096):
        *whole, rest = (rest + data).split(b"\n\n")
        yield from (raw.decode() for raw in whole)
