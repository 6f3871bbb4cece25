"""Where a URL leads, as a request has to know it."""

import functools
import string
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import quote, urlsplit

import requests

# What may stand in a path or a query. A receiver may have signed its URL: what can stay as it is does so.
_AS_IT_IS: Final = "".join(set(string.printable) - set(string.whitespace) - set('"<>\\^`{|}'))
_PORTS: Final = {"http": 80, "https": 443}


class Target(NamedTuple):
    """``host`` without brackets, ``authority`` as the header Host has it, ``path`` with its query."""

    secure: bool
    host: str
    port: int
    authority: str
    path: str


@functools.lru_cache(maxsize=4096)
def target_of(url: str) -> Target:
    """Take a URL of ``wire_url`` apart."""
    origin, path = _split(url)
    return _target_of_origin(origin)._replace(path=path)


def wire_url(url: str) -> str:
    """A URL as it goes over the wire: its host in ASCII, its path and query byte for byte.

    Raises:
        RequestException, UnicodeError: it cannot be called.
    """
    origin, path = _split(url.strip())
    return f"{_wire_origin(origin)}{path}"


# Many webhooks lead to few hosts, and to take a URL apart takes a third of a first attempt's time.
@functools.lru_cache(maxsize=1024)
def _target_of_origin(origin: str) -> Target:
    parts = urlsplit(origin)
    host, usual = parts.hostname or "", _PORTS[parts.scheme]
    port = parts.port or usual
    spelled = f"[{host}]" if ":" in host else host
    authority = spelled if port == usual else f"{spelled}:{port}"
    return Target(parts.scheme == "https", host, port, authority, "/")


@functools.lru_cache(maxsize=1024)
def _wire_origin(origin: str) -> str:
    request = requests.PreparedRequest()
    request.prepare_url(origin, None)
    prepared = urlsplit(request.url or "")
    return f"{prepared.scheme}://{prepared.netloc}"


def prepared(
    method: str, url: str, headers: Mapping[str, str], body: bytes | None = None
) -> requests.PreparedRequest:
    """Make a request of what goes over the wire: a URL of ``wire_url``, and of a body its length as well."""
    request = requests.PreparedRequest()
    request.method, request.url, request.body = method, url, body
    length = {} if body is None else {"Content-Length": str(len(body))}
    request.headers = {**headers, **length}  # type: ignore[assignment]  # no case is folded here
    return request


def _split(url: str) -> tuple[str, str]:
    """Scheme and authority; path and query. urlsplit would lose the mark of a query that is empty."""
    scheme, slashes, rest = url.partition("#")[0].partition("//")
    begin = min((place for place in map(rest.find, "/?") if place >= 0), default=len(rest))
    path = quote(rest[begin:], _AS_IT_IS)
    return f"{scheme}{slashes}{rest[:begin]}", path if path.startswith("/") else f"/{path}"
