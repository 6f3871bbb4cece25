"""A server that speaks AMI: checks the log-in, lists no channels, sends what it is given."""

import contextlib
import hashlib
import secrets
import socket
import ssl
import threading
from collections.abc import Callable, Iterator

SECRET = "open sesame".replace(" ", "-")


def written(fields: list[tuple[str, str]]) -> bytes:
    """A message, as Asterisk writes it."""
    return "".join(f"{key}: {value}\r\n" for key, value in fields).encode() + b"\r\n"


class AmiServer:
    """``script`` gets each connection once it has been given its list of channels, in a thread of its own.

    ``greeting`` follows the log-in. ``may_list``: whether the user has ``write = reporting``.
    """

    def __init__(
        self,
        script: Callable[[socket.socket], None] = lambda link: None,
        *,
        banner: bytes = b"Asterisk Call Manager/11.0.0\r\n",
        tls: ssl.SSLContext | None = None,
        may_list: bool = True,
        greeting: bytes = b"",
    ) -> None:
        self.greeting = greeting
        self.script, self._banner, self._tls, self._may_list = script, banner, tls, may_list
        self.logins = 0
        self.pings = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                link, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(link,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with contextlib.suppress(OSError), self._tls_of(plain) as link:
            link.sendall(self._banner)
            challenge = str(secrets.randbelow(10**9))
            for action in _actions(link):
                id_ = ("ActionID", action.get("ActionID", ""))
                if action["Action"] == "Challenge":
                    link.sendall(written([("Response", "Success"), id_, ("Challenge", challenge)]))
                elif action["Action"] == "Login":
                    key = hashlib.md5((challenge + SECRET).encode()).hexdigest()
                    if action["Key"] != key:
                        link.sendall(
                            written([("Response", "Error"), id_, ("Message", "Authentication failed")])
                        )
                        return
                    self.logins += 1
                    link.sendall(written([("Response", "Success"), id_]))
                    link.sendall(written([("Event", "FullyBooted"), ("Status", "Fully Booted")]))
                    link.sendall(self.greeting)
                elif action["Action"] == "Ping":
                    self.pings += 1
                    link.sendall(written([("Response", "Success"), id_, ("Ping", "Pong")]))
                elif action["Action"] == "CoreShowChannels":
                    if not self._may_list:
                        link.sendall(written([("Response", "Error"), id_, ("Message", "Permission denied")]))
                        continue
                    link.sendall(written([("Response", "Success"), id_, ("EventList", "start")]))
                    link.sendall(
                        written([("Event", "CoreShowChannelsComplete"), id_, ("EventList", "Complete")])
                    )
                    threading.Thread(target=self._play, args=(link,), daemon=True).start()

    def _tls_of(self, link: socket.socket) -> socket.socket:
        if self._tls is None:
            return link
        # The handshake comes with the first bytes, when the socket is in a hand that closes it.
        return self._tls.wrap_socket(link, server_side=True, do_handshake_on_connect=False)

    def _play(self, link: socket.socket) -> None:
        with contextlib.suppress(OSError):
            self.script(link)


def _actions(link: socket.socket) -> Iterator[dict[str, str]]:
    rest = b""
    while data := link.recv(4096):
        *whole, rest = (rest + data).split(b"\r\n\r\n")
        for raw in whole:
            yield dict(line.split(": ", 1) for line in raw.decode().split("\r\n"))
