"""Requests to Zoho, each under a deadline: by the connections of a sender, or while a person waits."""

import contextlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, cast
from urllib.parse import urlencode, urlsplit

import requests

from webhooks.cleaning import clean_lines
from webhooks.errors import ConnectionFailed
from webhooks.outbound.address_rules import AddressRules
from webhooks.outbound.answer import Answer
from webhooks.outbound.connector import Connector
from webhooks.outbound.deadline import Deadline
from webhooks.outbound.forward_proxy import Proxy
from webhooks.outbound.tls import ssl_context
from webhooks.outbound.transport import Transport
from webhooks.outbound.user_agent import USER_AGENT
from webhooks.settings import Settings

FORM: Final = "application/x-www-form-urlencoded"
_MOST_BYTES: Final = 1 << 20  # of an answer: a list of a thousand users fits
_PIECE_BYTES: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class ZohoAnswer:
    """What Zoho answered."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str = ""

    @property
    def fields(self) -> dict[str, Any]:
        """The JSON object that it is; empty where it is none."""
        try:
            read = json.loads(self.text)
        except (ValueError, RecursionError):  # nested ten thousand deep
            return {}
        return read if isinstance(read, dict) else {}


class Caller(Protocol):
    """Makes requests. Raises AttemptError or OSError, of which RequestException is one."""

    def call(
        self,
        method: str,
        url: str,
        deadline: Deadline,
        *,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> ZohoAnswer:
        """Make a request with a form as its body. Returns the answer, whatever its status."""
        ...


class PinnedCaller:
    """Calls addresses that were checked, by kept connections. Threads may share it.

    A deadline holds for the whole of a call, however slowly an answer drips.
    """

    def __init__(self, connector: Connector, connections: int) -> None:
        self._transport = Transport(connector, connections, ssl_context(None, True))

    def close(self) -> None:
        self._transport.close()

    def call(
        self,
        method: str,
        url: str,
        deadline: Deadline,
        *,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> ZohoAnswer:
        request = requests.Request(method, url, headers=_headers(headers), data=_body(form)).prepare()
        if deadline.left_s() <= 0:
            raise ConnectionFailed("No time was left for the attempt.")
        answer = cast(Answer, self._transport.send(request, timeout=deadline).raw)
        with contextlib.closing(answer):
            body = _whole(iter(lambda: answer.read(_PIECE_BYTES), b""), deadline)
        return ZohoAnswer(answer.status, dict(answer.headers), body)


def caller_for_people(settings: Settings) -> PinnedCaller:
    """Make a caller for while a person waits: the same address rules, and no connection is kept."""
    rules = AddressRules(settings.allow_nets, settings.deny_nets)
    return PinnedCaller(Connector(rules, Proxy.of(settings.proxy)), 0)


def _headers(headers: Mapping[str, str] | None) -> dict[str, str]:
    return {"User-Agent": USER_AGENT, "Accept": "application/json", "Accept-Encoding": "identity"} | {
        **(headers or {})
    }


def _body(form: Mapping[str, str] | None) -> Any:
    return dict(form) if form else None  # requests writes a form with %2B for a plus, as Zoho wants it


def _whole(pieces: Iterable[bytes], deadline: Deadline) -> str:
    """Read an answer; what is longer than any that Zoho gives is left unread."""
    kept = b""
    for piece in pieces:
        kept += piece
        if len(kept) >= _MOST_BYTES:
            break
        if deadline.left_s() <= 0:
            raise TimeoutError
    return clean_lines(kept.decode("utf-8", "replace"))


def with_query(url: str, **query: str) -> str:
    """Return an address with a query."""
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(query)}"
