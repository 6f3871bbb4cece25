"""A webhook's own options: headers, concurrency, rate, timeout, maximum age, TLS."""

import re
import ssl
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

from webhooks.catalogue import HIDDEN
from webhooks.errors import Invalid
from webhooks.outbound.tls import check_identity
from webhooks.vault import is_sealed

_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")  # RFC 9110, section 5.6.2: a token
_VALUE: Final = re.compile(r"[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?")
_RESERVED: Final = frozenset(
    (
        "accept-encoding", "connection", "content-encoding", "content-length", "content-type", "expect",
        "host", "keep-alive", "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding",
        "upgrade", "user-agent", "webhook-id", "webhook-signature", "webhook-timestamp",
    )
)  # fmt: skip
_HEADERS_MAX: Final = 20


def read_headers(given: Any) -> Any:
    """Header lines, “Name: value”, as a dict: a form's text, or a command's list. A dict stays as it is.

    Raises:
        Invalid: names the line or the header at fault.
    """
    lines = given.splitlines() if isinstance(given, str) else given
    if not isinstance(lines, list | tuple):
        return given
    headers: dict[str, str] = {}
    for line in filter(str.strip, map(str, lines)):
        name, colon, value = (part.strip() for part in line.partition(":"))
        if not colon:
            raise Invalid(f"The header line {line.strip()!r} has to be “Name: value”.", "headers")
        if name in headers:
            raise Invalid(f"The header {name} is given twice.", "headers")
        headers[name] = value
    return headers


def _headers(headers: dict[str, str]) -> dict[str, str]:
    if len(headers) > _HEADERS_MAX:
        raise ValueError(f"At most {_HEADERS_MAX} headers can be set.")
    for name, value in headers.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no header name.")
        if name.lower() in _RESERVED:
            raise ValueError(f"The header {name} is set by the appliance.")
        if value == HIDDEN:
            raise ValueError(f"The header {name} has no value yet: write it out.")
        if len(value) > 2000 or not _VALUE.fullmatch(value):
            raise ValueError(f"The value of the header {name} has 1 to 2,000 printable Latin-1 characters.")
    if len({name.lower() for name in headers}) < len(headers):
        raise ValueError("A header is given twice.")
    return headers


def _certificate(pem: str) -> str:
    try:
        ssl.create_default_context(cadata=pem.encode("ascii").decode())
    except (ssl.SSLError, ValueError) as error:
        raise ValueError("has to be a certificate in PEM form") from error
    return pem


def _client_key(key: str | None, info: ValidationInfo) -> str | None:
    """Check it together with its certificate, which stands before it."""
    if "client_certificate" not in info.data:  # refused already
        return key
    certificate = info.data["client_certificate"]
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise ValueError("A client certificate and its key go together: give both, or neither.")
    if key == HIDDEN:
        raise ValueError("The client key has no value yet: write it out.")
    if not is_sealed(key):  # what another secret key sealed cannot be checked
        check_identity(certificate, key)
    return key


CertificateText = Annotated[str, Field(max_length=100_000), AfterValidator(_certificate)]


class Options(BaseModel):
    """Options as they are stored, named as on the wire. ``timeout`` and ``max_age`` are seconds, ``rate`` is
    requests a second. None is "no limit", and for ``timeout`` the appliance's own.

    ``headers`` may hold credentials: they are shown by name only. ``ca`` is a PEM text; with it no other
    certificate authority is trusted. ``verify`` off accepts any certificate. ``client_certificate``, with
    those between it and its authority, and ``client_key`` (PEM) are for a receiver that asks for them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    headers: Annotated[dict[str, str], BeforeValidator(read_headers), AfterValidator(_headers)] = Field(
        default={}, title="Custom headers"
    )
    concurrency: int = Field(default=8, ge=1, le=64, title="Requests at a time")
    rate: float | None = Field(default=None, gt=0, le=10_000, title="Requests a second")
    timeout: float | None = Field(default=None, ge=1, le=25, title="Timeout in seconds")
    max_age: int | None = Field(default=None, ge=1, le=365 * 86_400, title="Maximum age in seconds")
    ca: CertificateText | None = Field(default=None, title="Certificate authority")
    verify: bool = Field(default=True, title="Check of the certificate")
    client_certificate: CertificateText | None = Field(default=None, title="Client certificate")
    client_key: Annotated[str | None, Field(max_length=20_000), AfterValidator(_client_key)] = Field(
        default=None, validate_default=True, title="Client key"
    )

    @property
    def max_age_ms(self) -> int | None:
        return None if self.max_age is None else self.max_age * 1000

    def shown(self) -> dict[str, Any]:
        """The options for lists and pages, without the headers' values and the client's key."""
        hidden = {
            "headers": dict.fromkeys(self.headers, HIDDEN),
            "client_key": self.client_key and HIDDEN,
        }
        return self.model_dump() | hidden

    @property
    def identity(self) -> str | None:
        """The client's certificate with its key, for TLS."""
        return self.client_certificate and f"{self.client_certificate}\n{self.client_key}"
