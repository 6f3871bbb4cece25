"""An SMTP server on 127.0.0.1 that keeps what it is handed; it may hang, refuse, want TLS and a log-in."""

import base64
import contextlib
import email
import email.policy
import socket
import socketserver
import ssl
import threading
from dataclasses import dataclass, field
from email.message import EmailMessage


@dataclass(frozen=True)
class Mail:
    """A message that was taken, and its envelope."""

    sender: str
    recipients: list[str]
    message: EmailMessage

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    @property
    def text(self) -> str:
        return str(self.message.get_content())


@dataclass
class SmtpServer:
    """``mails`` is what was taken so far.

    ``hangs``: it takes connections and says nothing. ``login``: user and password that it asks for.
    ``refused``: recipients whose mailbox it does not know. ``answer``: to a message.
    """

    tls: ssl.SSLContext | None = None
    login: tuple[str, str] | None = None
    hangs: bool = False
    refused: set[str] = field(default_factory=set)
    answer: str = "250 Ok: queued"
    mails: list[Mail] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        outer, self._stop = self, threading.Event()

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                outer.connections += 1
                if outer.hangs:
                    outer._stop.wait()
                    return
                with contextlib.suppress(OSError), contextlib.closing(_Talk(outer, self.request)) as talk:
                    talk.run()

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            block_on_close = False

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._stop.set()
        self._server.shutdown()
        self._server.server_close()


class _Talk:
    """One connection: each method ``do_VERB`` answers a command."""

    def __init__(self, server: SmtpServer, sock: socket.socket) -> None:
        self._server, self._sock = server, sock
        self._reader = sock.makefile("rb")
        self._secured, self._known = False, server.login is None
        self._sender, self._recipients = "", list[str]()

    def close(self) -> None:
        self._reader.close()
        self._sock.close()

    def run(self) -> None:
        self._say("220 test")
        while line := self._reader.readline().decode().strip():
            verb, _, rest = line.partition(" ")
            free = verb.upper() in ("EHLO", "STARTTLS", "AUTH", "QUIT")
            if not free and (not self._known or (self._server.tls and not self._secured)):
                self._say("530 log in first")
            else:
                getattr(self, f"do_{verb.upper()}", lambda _: self._say("250 ok"))(rest)

    def do_EHLO(self, _: str) -> None:
        self._say("250-test")
        if self._server.tls and not self._secured:
            self._say("250-STARTTLS")
        if self._server.login:
            self._say("250-AUTH PLAIN")
        self._say("250 HELP")

    def do_STARTTLS(self, _: str) -> None:
        assert self._server.tls
        self._say("220 go on")
        self._reader.close()
        self._sock = self._server.tls.wrap_socket(self._sock, server_side=True)
        self._reader, self._secured = self._sock.makefile("rb"), True

    def do_AUTH(self, rest: str) -> None:
        given = base64.b64decode(rest.split()[1]).decode().split("\0")
        self._known = tuple(given[1:]) == self._server.login
        self._say("235 welcome" if self._known else "535 5.7.8 wrong")

    def do_MAIL(self, rest: str) -> None:
        self._sender, self._recipients = _address(rest), []
        self._say("250 ok")

    def do_RCPT(self, rest: str) -> None:
        if _address(rest) in self._server.refused:
            self._say("550 no such mailbox")
            return
        self._recipients.append(_address(rest))
        self._say("250 ok")

    def do_DATA(self, _: str) -> None:
        self._say("354 go on")
        content = b"".join(line.removeprefix(b".") for line in iter(self._reader.readline, b".\r\n"))
        if self._server.answer.startswith("2"):
            message = email.message_from_bytes(content, policy=email.policy.default)
            assert isinstance(message, EmailMessage)
            self._server.mails.append(Mail(self._sender, self._recipients, message))
        self._say(self._server.answer)

    def _say(self, line: str) -> None:
        self._sock.sendall(f"{line}\r\n".encode())


def _address(rest: str) -> str:
    return rest.partition("<")[2].partition(">")[0]
