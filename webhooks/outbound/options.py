"""A webhook's own options: headers, concurrency, rate, timeout, maximum age, TLS."""

import re
import ssl
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from webhooks.errors import Invalid

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


def _headers(headers: dict[str, str]) -> dict[str, str]:
    if len(headers) > _HEADERS_MAX:
        raise ValueError(f"at most {_HEADERS_MAX} headers can be set")
    for name, value in headers.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no header name")
        if name.lower() in _RESERVED:
            raise ValueError(f"{name} is set by the appliance")
        if len(value) > 2000 or not _VALUE.fullmatch(value):
            raise ValueError(f"the value of {name} has to be 1 to 2,000 printable Latin-1 characters")
    if len({name.lower() for name in headers}) < len(headers):
        raise ValueError("a header is given twice")
    return headers


def _certificate(pem: str) -> str:
    try:
        ssl.create_default_context(cadata=pem)
    except (ssl.SSLError, ValueError) as error:
        raise ValueError("has to be a certificate in PEM form") from error
    return pem


class Options(BaseModel):
    """Options as they are stored, named as on the wire. ``timeout`` and ``max_age`` are seconds, ``rate`` is
    requests a second. None is "no limit", and for ``timeout`` the appliance's own.

    ``headers`` may hold credentials: they are shown by name only. ``ca`` is a PEM text; with it no other
    certificate authority is trusted. ``verify`` off accepts any certificate.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    headers: Annotated[dict[str, str], AfterValidator(_headers)] = {}
    concurrency: int = Field(default=8, ge=1, le=64)
    rate: float | None = Field(default=None, gt=0, le=10_000)
    timeout: float | None = Field(default=None, ge=1, le=25)
    max_age: int | None = Field(default=None, ge=1, le=365 * 86_400)
    ca: Annotated[str, Field(max_length=100_000), AfterValidator(_certificate)] | None = None
    verify: bool = True

    @property
    def max_age_ms(self) -> int | None:
        return None if self.max_age is None else self.max_age * 1000

    def shown(self) -> dict[str, Any]:
        """The options for lists and pages, without the headers' values."""
        return {**self.model_dump(), "headers": dict.fromkeys(self.headers, "•••")}


_LABELS: Final = {
    "concurrency": "Requests at a time", "rate": "Requests a second", "timeout": "Timeout in seconds",
    "max_age": "Maximum age in seconds", "ca": "Certificate authority", "headers": "Own headers",
    "verify": "Check of the certificate",
}  # fmt: skip
_BOUNDS: Final = {
    "greater_than_equal": "has to be at least {}", "less_than_equal": "has to be at most {}",
    "greater_than": "has to be more than {}",
}  # fmt: skip


def parse_options(values: dict[str, Any]) -> Options:
    """Validate options that a person gave.

    Raises:
        Invalid: names the first option that is wrong, and what would be right.
    """
    try:
        return Options.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
    name = str(first["loc"][0])
    bound = next(iter(first.get("ctx", {}).values()), "")
    requirement = _BOUNDS.get(first["type"], "").format(
        f"{bound:,}" if isinstance(bound, int | float) else bound
    )
    message = requirement or first["msg"].removeprefix("Value error, ")
    raise Invalid(f"{_LABELS.get(name, 'Option')} ({'.'.join(map(str, first['loc']))}): {message}.", name)
