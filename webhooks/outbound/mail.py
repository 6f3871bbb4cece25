"""Mail: one attempt to hand a message to the mail server, by the address rules for receivers."""

import io
import smtplib
import socket
import ssl
import time
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate
from typing import Any, Final, Literal

from webhooks.cleaning import clean
from webhooks.db.store import now_ms
from webhooks.errors import AttemptError
from webhooks.outbound.connector import Connector
from webhooks.outbound.deadline import Deadline
from webhooks.outbound.explain import message_of
from webhooks.outbound.sender import Message, Outcome
from webhooks.outbound.tls import secured, ssl_context

Security = Literal["starttls", "tls", "none"]

_QUOTED: Final = 300  # characters of what the server said


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed in, and from whom to whom it goes."""

    host: str
    port: int
    security: Security
    user: str
    password: str | None
    sender: str
    recipients: tuple[str, ...]
    ca: str | None = None  # PEM; the authority that is trusted, alone


class MailSender:
    """Hands messages to a mail server, each over a connection of its own.

    A message's body is its subject, an empty line and its text.
    """

    def __init__(self, server: MailServer, connector: Connector) -> None:
        self._server, self._connector = server, connector

    def close(self) -> None:
        """Do nothing: nothing is kept open."""

    def send(self, message: Message, deadline: Deadline) -> Outcome:
        """Make one attempt. Returns its outcome, also of a failure."""
        outcome = Outcome(message.delivery_id, message.number, now_ms())
        try:
            outcome.response_body = self._hand_in(message, deadline)
        except (AttemptError, smtplib.SMTPException, OSError, UnicodeError) as error:
            outcome.error = f"{self._reason(error, deadline)} The mail server is {self._place}."
        outcome.duration_s = time.monotonic() - deadline.started_s
        return outcome

    @property
    def _place(self) -> str:
        return f"{self._server.host}:{self._server.port}"

    def _hand_in(self, message: Message, deadline: Deadline) -> str:
        server = self._server
        context = None if server.security == "none" else ssl_context(server.ca, True)
        connection = _Connection(self._connector, deadline, context if server.security == "tls" else None)
        try:
            _expect(connection.connect(server.host, server.port))
            if server.security == "starttls":
                connection.starttls(context=context)
            if server.user:
                connection.login(server.user, server.password or "")
            refused = connection.send_message(self._mail(message), server.sender, list(server.recipients))
            told = "; ".join(f"{who}: {_said(*answer)}" for who, answer in refused.items())
            return f"Taken, but not for {told}" if told else "Taken by the mail server."
        finally:
            connection.close()

    def _mail(self, message: Message) -> EmailMessage:
        mail = EmailMessage()
        subject, _, text = message.body.partition("\n\n")
        mail["Subject"] = clean(subject)
        mail["From"] = self._server.sender
        mail["To"] = ", ".join(self._server.recipients)
        mail["Date"] = formatdate(localtime=False)
        # The same at every attempt: a server that was cut off may have it already.
        mail["Message-ID"] = f"<{message.message_id}@{self._server.sender.partition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(text)
        return mail

    def _reason(self, error: Exception, deadline: Deadline) -> str:
        if isinstance(error, AttemptError):
            return str(error)
        if deadline.left_s() <= 0 or isinstance(error, TimeoutError):
            return "It gave no complete answer in time."
        if isinstance(error, smtplib.SMTPRecipientsRefused):
            told = "; ".join(f"{who} ({_said(*answer)})" for who, answer in error.recipients.items())
            return f"It refused all recipients: {told}."
        if isinstance(error, smtplib.SMTPAuthenticationError):
            said = _said(error.smtp_code, error.smtp_error)
            return f"It refused user or password: {said}. Enter them again."
        if isinstance(error, smtplib.SMTPResponseException):
            return f"It refused the message: {_said(error.smtp_code, error.smtp_error)}."
        if isinstance(error, smtplib.SMTPNotSupportedError):
            return f"It does not offer what is set ({message_of(error)}). Check the encryption and the user."
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"Its certificate cannot be trusted: {clean(error.verify_message)}."
        if isinstance(error, ssl.SSLError):
            return "It does not speak TLS at this port: check the port and the encryption."
        if isinstance(error, ConnectionRefusedError):
            return "Nothing listens there: the connection was refused."
        if isinstance(error, smtplib.SMTPServerDisconnected):
            return "It closed the connection: check the port and the encryption."
        return f"It cannot be reached: {message_of(error)}."


class _Connection(smtplib.SMTP):
    """smtplib over the connector's socket, under the attempt's deadline."""

    def __init__(self, connector: Connector, deadline: Deadline, context: ssl.SSLContext | None) -> None:
        self._connector, self._deadline, self._context = connector, deadline, context
        # A name is given: smtplib would look ours up, and nothing limits how long that takes.
        super().__init__(local_hostname=socket.gethostname())

    def _get_socket(self, host: str, port: int, _timeout: Any) -> socket.socket:
        self._host = host  # STARTTLS checks the certificate for it
        # A proxy is asked for a tunnel, whatever goes through it.
        sock, _ = self._connector.connect(host, port, self._deadline, tunnel=True)
        if self._context is None:
            return sock
        return secured(sock, self._context, host, self._deadline)

    def send(self, s: Any) -> None:
        if self.sock is not None:
            self._deadline.limit(self.sock)
        super().send(s)

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock is not None:
            self.file = io.BufferedReader(_Timed(self.sock, self._deadline))
        reply = super().getreply()
        if self.sock is not None:  # for the handshake of STARTTLS, which may follow
            self._deadline.limit(self.sock)
        return reply


class _Timed(io.RawIOBase):
    """What comes over a socket, up to a deadline."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._socket, self._deadline = sock, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._deadline.limit(self._socket)
        return self._socket.recv_into(buffer)


def _expect(answer: tuple[int, bytes]) -> None:
    code, text = answer
    if code != 220:
        raise smtplib.SMTPConnectError(code, text)


def _said(code: int, text: bytes | str) -> str:
    told = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"{code} {clean(told)[:_QUOTED]}".rstrip(". ")
