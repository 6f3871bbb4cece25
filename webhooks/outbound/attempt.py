"""One attempt: sign, send, read the answer, say in one sentence what went wrong."""

import functools
import ipaddress
import json
import logging
import time
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import requests
import urllib3.exceptions

from webhooks.catalogue import HIDDEN
from webhooks.cleaning import clean, clean_lines
from webhooks.db.store import now_ms
from webhooks.errors import AttemptError, ConnectionFailed, Invalid, TargetRefused
from webhooks.outbound.address_rules import AddressRules
from webhooks.outbound.deadline import Deadline
from webhooks.outbound.explain import explain, said
from webhooks.outbound.pinned_adapter import Connector, PinnedAdapter, trust, under
from webhooks.outbound.retry_after import retry_after
from webhooks.outbound.signing import signed_headers
from webhooks.settings import VERSION

KEPT_ON_FAILURE: Final = 16 << 10  # bytes of a response; the rest stays unread
KEPT_ON_SUCCESS: Final = 1 << 10
KEPT_HEADERS: Final = 8 << 10
MAX_URL: Final = 2000  # characters
USER_AGENT: Final = "Spoke-Webhooks/"
_TRACE_SECONDS: Final = 60.0  # a fault of ours is told with its traceback at most so often

log = logging.getLogger(__name__)
_traced_at: dict[type[Exception], float] = {}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What an attempt has to know of its webhook. ``own_headers`` values are never logged.

    ``own``: the URL is a test inbox at our own listening socket, which the address rules do not concern.
    ``fault``: why no attempt can be made.
    """

    webhook_id: int
    url: str
    secrets: tuple[str, ...]
    timeout: float
    own_headers: tuple[tuple[str, str], ...] = ()
    ca: str | None = None
    verify: bool = True
    own: bool = False
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be delivered: the event's text, and its id on the wire."""

    delivery_id: int
    n: int
    message_id: str
    body: str


@dataclass(slots=True)
class Outcome:
    """What came of an attempt. ``status`` is None where no answer came; ``error`` is None on success."""

    delivery_id: int
    n: int
    started_at: int
    seconds: float = 0.0
    status: int | None = None
    error: str | None = None
    broken: bool = False  # a timeout or connection error: counts towards the circuit breaker
    interrupted: bool = False  # cut by our own stop: the receiver is not to blame
    retry_after: float | None = None
    request_headers: str | None = None
    response_headers: str | None = None
    response_body: str | None = None
    unlogged: bool = False  # the database refuses its row among the attempts

    @property
    def delivered(self) -> bool:
        return self.error is None


class Sender:
    """One webhook's connections and headers. Threads may share it."""

    def __init__(self, endpoint: Endpoint, gate: Connector, connections: int) -> None:
        self.endpoint = endpoint
        self._adapter = PinnedAdapter(
            _to_ourselves() if endpoint.own else gate, connections, trust(endpoint.ca, endpoint.verify)
        )
        self._fault = endpoint.fault
        try:
            self._url = None if endpoint.fault else _prepared(endpoint.url)
        except (requests.RequestException, UnicodeError) as error:
            self._url, self._fault = None, f"The URL cannot be called: {error}"

    def close(self) -> None:
        self._adapter.close()

    def send(self, message: Message, deadline: Deadline) -> Outcome:
        """Make one attempt; every failure is told in the outcome, none is raised."""
        outcome = Outcome(message.delivery_id, message.n, now_ms())
        try:
            with under(deadline):
                self._exchange(message, deadline, outcome)
        except AttemptError as error:
            outcome.error, outcome.broken = str(error), error.connection
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, Invalid) as error:
            outcome.error, outcome.broken = explain(error, deadline, self.endpoint.timeout), True
        except Exception as error:  # whatever it is, it is this attempt's failure and no other's
            if outcome.status is None:
                outcome.error = fault(error)
            else:  # the status has come: it decides
                outcome.response_body = f"[the answer could not be read: {fault(error)}]"
        outcome.interrupted = deadline.cut_by == "stop" and outcome.error is not None and not outcome.status
        if outcome.interrupted:
            outcome.error = "Interrupted: the appliance was stopped while the attempt was under way."
        outcome.seconds = time.monotonic() - deadline.started
        return outcome

    def _exchange(self, message: Message, deadline: Deadline, outcome: Outcome) -> None:
        if self._url is None:
            raise TargetRefused(self._fault)
        request = self._request(message)
        shown = {name: value for name, value in request.headers.items() if name != "Content-Length"}
        shown |= {name: HIDDEN for name, _ in self.endpoint.own_headers}
        outcome.request_headers = json.dumps(shown, ensure_ascii=False)
        try:
            response = self._post(request, deadline)
        except (requests.ConnectionError, OSError):
            # A kept connection that the receiver had closed meanwhile is no failure of its.
            if not deadline.reused or deadline.cut_by or deadline.left() <= 0:
                raise
            self._adapter.close()
            response = self._post(request, deadline)
        self._read(response, deadline, outcome)

    def _request(self, message: Message) -> requests.PreparedRequest:
        data = message.body.encode()
        request = requests.PreparedRequest()
        request.method, request.url, request.body = "POST", self._url, data
        headers: dict[str, str] = {
            **dict(self.endpoint.own_headers),
            "Content-Type": "application/json",
            "User-Agent": f"{USER_AGENT}{VERSION}",
            "Accept-Encoding": "identity",
            "Content-Length": str(len(data)),
            **signed_headers(self.endpoint.secrets, message.message_id, int(time.time()), message.body),
        }
        request.headers = headers  # type: ignore[assignment]  # the adapter needs no case folding here
        return request

    def _post(self, request: requests.PreparedRequest, deadline: Deadline) -> requests.Response:
        left = deadline.left()
        if left <= 0:
            raise ConnectionFailed("No time was left for the attempt.")
        response = self._adapter.send(request, stream=True, timeout=left, verify=self.endpoint.verify)
        if deadline.cut_by:  # http.client takes headers that were cut off for complete ones
            response.raw.close()
            raise TimeoutError
        return response

    def _read(self, response: requests.Response, deadline: Deadline, outcome: Outcome) -> None:
        raw = response.raw
        status = outcome.status = response.status_code
        success = 200 <= status < 300
        keep = KEPT_ON_SUCCESS if success else KEPT_ON_FAILURE
        if not success:
            outcome.error = _refusal(status, response.headers.get("Location"))
        outcome.retry_after = retry_after(status, raw.headers.getlist("Retry-After"))
        outcome.response_headers = _kept_headers(response.headers)
        try:
            kept = _read_body(raw)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            # The status has come: it decides. What the body lacks is only told.
            why = explain(error, deadline, self.endpoint.timeout)
            kept = f"[the answer broke off: {why}]".encode()
            raw.close()
        outcome.response_body = clean_lines(kept[:keep].decode("utf-8", "replace"))


class Unusable:
    """In a Sender's place where a webhook's row gives none: its every attempt fails, saying why."""

    def __init__(self, webhook_id: int, timeout: float, why: str) -> None:
        self.endpoint = Endpoint(webhook_id, "", (), timeout)
        self._why = why

    def send(self, message: Message, deadline: Deadline) -> Outcome:
        return Outcome(message.delivery_id, message.n, now_ms(), error=self._why)

    def close(self) -> None:
        """Nothing is open."""


def fault(error: Exception) -> str:
    """A sentence for what should not have happened; its traceback goes to the log, now and then."""
    now = time.monotonic()
    if now - _traced_at.get(type(error), -_TRACE_SECONDS) >= _TRACE_SECONDS:
        _traced_at[type(error)] = now
        log.error("an attempt ended in a fault of ours", exc_info=error)
    return f"A fault in the appliance itself ended the attempt ({type(error).__name__}: {said(error)})."


@functools.cache
def _to_ourselves() -> Connector:
    """Past address rules and proxy: only ever for the URL of our own listening socket."""
    return Connector(
        AddressRules(allow=tuple(ipaddress.ip_network(every) for every in ("0.0.0.0/0", "::/0")))
    )


def _kept_headers(headers: Any) -> str:
    """As JSON; of a receiver that sends more than any needs, the first 8 KiB."""
    kept: dict[str, str] = {}
    left = KEPT_HEADERS
    for name, value in headers.items():
        left -= len(name) + len(value)
        if left < 0:
            kept["…"] = f"[cut off after {KEPT_HEADERS:,} bytes]"
            break
        kept[clean(name)] = clean(value)
    return json.dumps(kept, ensure_ascii=False)


def _prepared(url: str) -> str | None:
    """As it goes over the wire; raises what requests and urllib3 raise for one that cannot."""
    request = requests.PreparedRequest()
    request.prepare_url(url, None)
    return request.url


def check_sendable(url: str) -> None:
    """Raise Invalid for a URL that no request can be made of, whatever its host."""
    labels = (urlsplit(url).hostname or "").removesuffix(".").split(".")
    if len(url) > MAX_URL:
        raise Invalid(f"The URL is longer than {MAX_URL:,} characters.")
    try:
        _prepared(url)
        if ":" not in labels[0] and any(not 0 < len(label.encode("idna")) < 64 for label in labels):
            raise UnicodeError("a part of the name is empty or too long")
    except (requests.RequestException, UnicodeError) as error:
        raise Invalid(f"The URL cannot be called: {error}.") from None


def _read_body(raw: Any) -> bytes:
    """At most 16 KiB. What is longer is left unread, and its connection closed."""
    kept = b""
    while len(kept) < KEPT_ON_FAILURE:
        chunk = raw.read(KEPT_ON_FAILURE - len(kept), decode_content=False)
        if not chunk:
            raw.release_conn()
            return kept
        kept += chunk
    raw.close()
    return kept


def _refusal(status: int, location: str | None) -> str:
    if 300 <= status < 400:
        where = clean(location)[:MAX_URL] if location else "nowhere"
        return f"The receiver answered {status}, a redirect to {where}: redirects are not followed."
    if status == 410:
        return "The receiver answered 410 Gone: it wants no more."
    return f"The receiver answered {status}."
