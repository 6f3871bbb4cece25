"""One connection to an Asterisk manager interface: connect, check who answers, log in, read.

The address rules do not hold for it: the appliance may run on the phone system's own machine, and who may
connect a phone system is the admin, as with the database's address.
"""

import socket
import ssl
import time
from dataclasses import dataclass
from typing import Final

from webhooks.errors import LoginRefused, PbxProblem
from webhooks.pbx.ami import Framer, action, check_banner, decode, field, login_key

_CONNECT_SECONDS: Final = 10.0
_ANSWER_SECONDS: Final = 10.0
_CHUNK_BYTES: Final = 1 << 18
_BANNER_BYTES: Final = 256


@dataclass(frozen=True, slots=True)
class Account:
    """Where the manager interface is, and the user that we log in as.

    ``ca`` is the certificate (PEM) that TLS trusts, alone and whatever name it has: Asterisk's are self-made.
    """

    host: str
    port: int
    user: str
    secret: str
    tls: bool = False
    ca: str | None = None

    @property
    def place(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Link:
    """A connection that is logged in. One thread at a time uses it.

    Raises:
        PbxProblem: nobody answers there, or not an Asterisk. LoginRefused: it refuses user or secret.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._socket = _connected(account)
        self._rest = b""
        try:
            self.version = self._read_banner()
            self._log_in()
        except OSError as error:
            self.close()
            raise _broken(account, error) from error
        except PbxProblem:
            self.close()
            raise

    def receive(self, timeout_s: float) -> bytes | None:
        """Wait for bytes. Returns b"" after ``timeout_s`` without any, None at the end of the stream.

        Raises:
            PbxProblem: the connection broke.
        """
        if self._rest:
            data, self._rest = self._rest, b""
            return data
        try:
            self._socket.settimeout(timeout_s)
            return self._socket.recv(_CHUNK_BYTES) or None
        except TimeoutError:
            return b""
        except OSError as error:
            raise _broken(self._account, error) from error

    def send(self, data: bytes) -> None:
        """Send an action. Raises PbxProblem where the connection broke."""
        try:
            self._socket.settimeout(_ANSWER_SECONDS)
            self._socket.sendall(data)
        except OSError as error:
            raise _broken(self._account, error) from error

    def close(self) -> None:
        self._socket.close()

    def _read_banner(self) -> str:
        until_s = time.monotonic() + _ANSWER_SECONDS
        while b"\n" not in self._rest:
            data = self.receive_some(until_s)
            if data is None:
                advice = "Turn TLS off here, or check the port." if self._account.tls else (
                    "Its list of permitted addresses may not have ours, or the port wants TLS."
                )  # fmt: skip
                raise PbxProblem(f"{self._account.place} takes connections, but says nothing. {advice}")
            self._rest += data
            if len(self._rest) > _BANNER_BYTES:
                break
        line, _, self._rest = self._rest.partition(b"\n")
        return check_banner(line.decode("latin-1").strip(), self._account.place)

    def receive_some(self, until_s: float) -> bytes | None:
        """Wait for bytes until a moment of the monotonic clock. Returns None where none came."""
        self._socket.settimeout(max(until_s - time.monotonic(), 0.001))
        try:
            return self._socket.recv(_CHUNK_BYTES) or None
        except TimeoutError:
            return None

    def _log_in(self) -> None:
        framer = Framer()
        early, self._rest = self._rest, b""
        self.send(action("Challenge", ActionID="spoke-challenge", AuthType="MD5"))
        challenge, messages = self._answer(framer, "spoke-challenge", early)
        key = login_key(field(challenge, "Challenge"), self._account.secret)
        self.send(
            action(
                "Login",
                ActionID="spoke-login",
                AuthType="MD5",
                Username=self._account.user,
                Key=key,
                Events="on",
            )
        )
        answer, messages = self._answer(framer, "spoke-login", b"", messages)
        if field(answer, "Response") != "Success":
            raise LoginRefused(
                f"Asterisk at {self._account.place} refuses the user {self._account.user!r}: "
                f"{field(answer, 'Message') or 'no reason given'}. Check user and secret, that its permit "
                "lines have our address, and reload the manager at the phone system."
            )
        # Messages that came with the response are the beginning of the stream.
        self._rest = b"".join(raw + b"\r\n\r\n" for raw in messages) + framer.rest

    def _answer(
        self, framer: Framer, action_id: str, data: bytes, messages: list[bytes] | None = None
    ) -> tuple[list[tuple[str, str]], list[bytes]]:
        """Wait for an action's response. Returns it, and the messages behind it."""
        waiting = [*(messages or ()), *framer.feed(data)]
        until_s = time.monotonic() + _ANSWER_SECONDS
        while True:
            for index, raw in enumerate(waiting):
                message = decode(raw)
                if field(message, "Response") and field(message, "ActionID") in (action_id, ""):
                    return message, waiting[index + 1 :]
            more = self.receive_some(until_s)
            if more is None:
                raise PbxProblem(
                    f"Asterisk at {self._account.place} does not answer the log-in. It is tried again."
                )
            waiting = framer.feed(more)


def _connected(account: Account) -> socket.socket:
    try:
        plain = socket.create_connection((account.host, account.port), _CONNECT_SECONDS)
    except UnicodeError:  # of IDNA, for a name with an empty or an over-long part
        raise PbxProblem(f"{account.host!r} cannot be the name of a host. Check the host.") from None
    except OSError as error:
        raise _unreachable(account, error) from error
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not account.tls:
        return plain
    try:
        return _context(account.ca).wrap_socket(plain, server_hostname=account.host)
    except OSError as error:  # ssl.SSLError is one
        plain.close()
        raise PbxProblem(_tls_sentence(account, error)) from error


def _context(ca: str | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cadata=ca)
    except ssl.SSLError:
        raise PbxProblem(
            "The certificate of the phone system cannot be read. Enter it again, as PEM."
        ) from None
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if ca is not None:
        context.check_hostname = False
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the certificate itself may be given
    return context


def _tls_sentence(account: Account, error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"The certificate of {account.place} is not trusted ({error.verify_message}). Enter it as the "
            "certificate to trust; Asterisk's own is often named asterisk.pem."
        )
    reason = getattr(error, "reason", None) or error.strerror or str(error)
    return (
        f"{account.place} does not speak TLS with us ({reason}). Check the port (5039 is usual with TLS) and "
        "tlsenable in manager.conf."
    )


def _unreachable(account: Account, error: OSError) -> PbxProblem:
    if isinstance(error, socket.gaierror):
        return PbxProblem(f"The name {account.host!r} has no address. Check the host.")
    if isinstance(error, ConnectionRefusedError):
        return PbxProblem(
            f"Nobody listens at {account.place}. Check the port, that the manager is enabled (enabled = yes) "
            "and its bindaddr."
        )
    reason = "no answer" if isinstance(error, TimeoutError) else error.strerror or str(error)
    return PbxProblem(f"{account.place} cannot be reached ({reason}). Check the address and the firewall.")


def _broken(account: Account, error: OSError) -> PbxProblem:
    return PbxProblem(
        f"The connection to {account.place} broke ({error.strerror or error}). It is made anew."
    )
