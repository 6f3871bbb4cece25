"""One connection to a phone system: connect, by TLS if so set, read, send. Each system logs in its own way.

The address rules do not hold for it: the appliance may run on the phone system's own machine, and who may
connect a phone system is the admin, as with the database's address.
"""

import socket
import ssl
import time
from dataclasses import dataclass
from typing import ClassVar, Final, Protocol

from webhooks.errors import PbxProblem

_CONNECT_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 10.0
_CHUNK_BYTES: Final = 1 << 18


@dataclass(frozen=True, slots=True)
class Account:
    """Where the phone system listens, and the user that we log in as; "" where it has no users.

    ``ca`` is the certificate (PEM) that TLS trusts, alone and whatever name it has: most are self-made.
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


@dataclass(frozen=True, slots=True)
class Advice:
    """What to check at a kind of phone system, where nobody listens, and where TLS fails."""

    unheard: str
    certificate: str
    tls: str


class Link(Protocol):
    """A connection that is logged in. One thread at a time uses it; all of it may raise PbxProblem.

    Making one raises PbxProblem (nobody answers there, or another kind of server) and LoginRefused.
    ``says_ready`` is in what the phone system sends once it can list its channels; b"" where it can at once.
    """

    version: str
    says_ready: bytes

    def receive(self, timeout_s: float) -> bytes | None: ...
    def ping(self) -> None: ...
    def ask_for_channels(self) -> None: ...
    def leave(self) -> None: ...
    def close(self) -> None: ...


class Wire:
    """The connection beneath a link. ``rest`` is what came and was not handed on yet."""

    advice: ClassVar[Advice]

    def __init__(self, account: Account) -> None:
        self.account = account
        self.rest = b""
        self._socket = _connected(account, self.advice)
        try:
            self.log_in()
        except OSError as error:
            self.close()
            raise _broken(account, error) from error
        except PbxProblem:
            self.close()
            raise

    def log_in(self) -> None:
        """Check who answers, and log in. Raises PbxProblem, LoginRefused, OSError."""
        raise NotImplementedError

    def receive(self, timeout_s: float) -> bytes | None:
        """Wait for bytes. Returns b"" after ``timeout_s`` without any, None at the end of the stream.

        Raises:
            PbxProblem: the connection broke.
        """
        if self.rest:
            data, self.rest = self.rest, b""
            return data
        try:
            self._socket.settimeout(timeout_s)
            return self._socket.recv(_CHUNK_BYTES) or None
        except TimeoutError:
            return b""
        except OSError as error:
            raise _broken(self.account, error) from error

    def send(self, data: bytes) -> None:
        """Send an action. Raises PbxProblem where the connection broke."""
        try:
            self._socket.settimeout(ANSWER_SECONDS)
            self._socket.sendall(data)
        except OSError as error:
            raise _broken(self.account, error) from error

    def close(self) -> None:
        self._socket.close()

    def receive_some(self, until_s: float) -> bytes | None:
        """Wait for bytes until a moment of the monotonic clock. Returns None where none came."""
        self._socket.settimeout(max(until_s - time.monotonic(), 0.001))
        try:
            return self._socket.recv(_CHUNK_BYTES) or None
        except TimeoutError:
            return None


def _connected(account: Account, advice: Advice) -> socket.socket:
    try:
        plain = socket.create_connection((account.host, account.port), _CONNECT_SECONDS)
    except UnicodeError:  # of IDNA, for a name with an empty or an over-long part
        raise PbxProblem(f"{account.host!r} cannot be the name of a host. Check the host.") from None
    except OSError as error:
        raise _unreachable(account, advice, error) from error
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not account.tls:
        return plain
    try:
        return _context(account.ca).wrap_socket(plain, server_hostname=account.host)
    except OSError as error:  # ssl.SSLError is one
        plain.close()
        raise PbxProblem(_tls_sentence(account, advice, error)) from error


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


def _tls_sentence(account: Account, advice: Advice, error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"The certificate of {account.place} is not trusted ({error.verify_message}). Enter it as the "
            f"certificate to trust; {advice.certificate}"
        )
    reason = getattr(error, "reason", None) or error.strerror or str(error)
    return f"{account.place} does not speak TLS with us ({reason}). {advice.tls}"


def _unreachable(account: Account, advice: Advice, error: OSError) -> PbxProblem:
    if isinstance(error, socket.gaierror):
        return PbxProblem(f"The name {account.host!r} has no address. Check the host.")
    if isinstance(error, ConnectionRefusedError):
        return PbxProblem(f"Nobody listens at {account.place}. {advice.unheard}")
    reason = "no answer" if isinstance(error, TimeoutError) else error.strerror or str(error)
    return PbxProblem(f"{account.place} cannot be reached ({reason}). Check the address and the firewall.")


def _broken(account: Account, error: OSError) -> PbxProblem:
    return PbxProblem(
        f"The connection to {account.place} broke ({error.strerror or error}). It is made anew."
    )
