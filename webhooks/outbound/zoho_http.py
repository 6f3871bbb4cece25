"""Requests to Zoho: by the connections of a sender, or by plain ``requests`` where a person waits."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from urllib.parse import urlencode, urlsplit

import requests

from webhooks.cleaning import clean_lines
from webhooks.errors import ConnectionFailed
from webhooks.outbound.address_rules import AddressRules, check_url
from webhooks.outbound.deadline import Deadline
from webhooks.outbound.pinned_adapter import Connector, PinnedAdapter, deadline_scope, ssl_context
from webhooks.outbound.resolver import Resolver
from webhooks.outbound.user_agent import USER_AGENT
from webhooks.settings import Settings

FORM: Final = "application/x-www-form-urlencoded"
_MOST_BYTES: Final = 1 << 20  # of an answer: a list of a thousand users fits
_PIECE_BYTES: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Answer:
    """What Zoho answered."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str = ""

    @property
    def fields(self) -> dict[str, Any]:
        """The JSON object that it is; empty where it is none."""
        try:
            read = json.loads(self.text)
        except ValueError:
            return {}
        return read if isinstance(read, dict) else {}


class Caller(Protocol):
    """Makes requests. Raises AttemptError, RequestException, HTTPError of urllib3 or OSError."""

    def call(
        self,
        method: str,
        url: str,
        deadline: Deadline,
        *,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Make a request with a form as its body. Returns the answer, whatever its status."""
        ...


class PinnedCaller:
    """Calls by kept connections to addresses that were checked. For a sender; threads may share it."""

    def __init__(self, connector: Connector, connections: int) -> None:
        self._adapter = PinnedAdapter(connector, connections, ssl_context(None, True))

    def close(self) -> None:
        self._adapter.close()

    def call(
        self,
        method: str,
        url: str,
        deadline: Deadline,
        *,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        request = requests.Request(method, url, headers=_headers(headers), data=_body(form)).prepare()
        with deadline_scope(deadline):
            try:
                return self._exchange(request, deadline)
            except (requests.ConnectionError, OSError):
                # A kept connection that Zoho had closed meanwhile is no failure of its.
                if not deadline.reused or deadline.aborted_by or deadline.left_s() <= 0:
                    raise
                self._adapter.close()
                return self._exchange(request, deadline)

    def _exchange(self, request: requests.PreparedRequest, deadline: Deadline) -> Answer:
        left_s = deadline.left_s()
        if left_s <= 0:
            raise ConnectionFailed("No time was left for the attempt.")
        response = self._adapter.send(request, stream=True, timeout=left_s)
        if deadline.aborted_by:  # http.client takes headers that were cut off for complete ones
            response.raw.close()
            raise TimeoutError
        return _answer(response, deadline)


class PlainCaller:
    """Calls while a person waits, by the same address rules; keeps no connection."""

    def __init__(self, settings: Settings) -> None:
        self._rules = AddressRules(settings.allow_nets, settings.deny_nets)
        self._proxies = {"http": settings.proxy, "https": settings.proxy} if settings.proxy else {}
        self._resolver = Resolver()

    def call(
        self,
        method: str,
        url: str,
        deadline: Deadline,
        *,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        # A name that led elsewhere a moment later would meet the check of Zoho's certificate.
        for address in self._resolver.addresses(check_url(url), deadline.left_s()):
            self._rules.check(address)
        with requests.Session() as session:
            session.trust_env = False
            response = session.request(
                method,
                url,
                data=_body(form),
                headers=_headers(headers),
                timeout=max(deadline.left_s(), 0.001),
                allow_redirects=False,
                stream=True,
                proxies=self._proxies,
            )
            with response:
                return _answer(response, deadline)


def _headers(headers: Mapping[str, str] | None) -> dict[str, str]:
    return {"User-Agent": USER_AGENT, "Accept": "application/json", "Accept-Encoding": "identity"} | {
        **(headers or {})
    }


def _body(form: Mapping[str, str] | None) -> Any:
    return dict(form) if form else None  # requests writes a form with %2B for a plus, as Zoho wants it


def _answer(response: requests.Response, deadline: Deadline) -> Answer:
    """Read an answer; what is longer than any that Zoho gives is left unread."""
    kept = b""
    raw: Any = response.raw
    while len(kept) < _MOST_BYTES:
        if deadline.left_s() <= 0:
            raise TimeoutError
        piece = raw.read(_PIECE_BYTES, decode_content=False)
        if not piece:
            raw.release_conn()
            break
        kept += piece
    else:
        raw.close()
    headers = {name: str(value) for name, value in response.headers.items()}
    return Answer(response.status_code, headers, clean_lines(kept.decode("utf-8", "replace")))


def with_query(url: str, **query: str) -> str:
    """Return an address with a query."""
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(query)}"
