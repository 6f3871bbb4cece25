"""A webhook's attempt: sign, post, read the response, say in a sentence what went wrong."""

import functools
import ipaddress
import json
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
from webhooks.outbound.explain import explain
from webhooks.outbound.pinned_adapter import Connector, PinnedAdapter, deadline_scope, ssl_context
from webhooks.outbound.retry_after import retry_after_s
from webhooks.outbound.sender import Message, Outcome, internal_error
from webhooks.outbound.signing import signed_headers
from webhooks.outbound.user_agent import USER_AGENT

KEPT_ON_FAILURE_BYTES: Final = 16 << 10  # of a response; the rest stays unread
KEPT_ON_SUCCESS_BYTES: Final = 1 << 10
KEPT_HEADERS_BYTES: Final = 8 << 10
MAX_URL: Final = 2000  # characters


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What an attempt has to know of its webhook. The values of ``own_headers`` are never logged.

    ``is_test_inbox``: the URL leads to the appliance's own listening socket, past the address rules.
    ``unusable``: why no attempt can be made.
    """

    webhook_id: int
    url: str
    secrets: tuple[str, ...]
    timeout_s: float
    own_headers: tuple[tuple[str, str], ...] = ()
    ca: str | None = None
    verify: bool = True
    is_test_inbox: bool = False
    unusable: str | None = None


class WebhookSender:
    """One webhook's connections and headers. Threads may share it."""

    def __init__(self, endpoint: Endpoint, connector: Connector, connections: int) -> None:
        self.endpoint = endpoint
        self._adapter = PinnedAdapter(
            _loopback_connector() if endpoint.is_test_inbox else connector,
            connections,
            ssl_context(endpoint.ca, endpoint.verify),
        )
        self._unusable = endpoint.unusable
        try:
            self._url = None if endpoint.unusable else _prepared(endpoint.url)
        except (requests.RequestException, UnicodeError) as error:
            self._url, self._unusable = None, f"The URL cannot be called: {error}"

    def close(self) -> None:
        self._adapter.close()

    def send(self, message: Message, deadline: Deadline) -> Outcome:
        """Make one attempt. Returns its outcome, also of a failure: none is raised."""
        outcome = Outcome(message.delivery_id, message.number, now_ms())
        try:
            with deadline_scope(deadline):
                self._exchange(message, deadline, outcome)
        except AttemptError as error:
            outcome.error, outcome.broken = str(error), error.connection
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, Invalid) as error:
            outcome.error, outcome.broken = explain(error, deadline, self.endpoint.timeout_s), True
        except Exception as error:  # whatever it is, it is this attempt's failure and no other's
            if outcome.http_status is None:
                outcome.error = internal_error(error)
            else:  # the status has come: it decides
                outcome.response_body = f"[the answer could not be read: {internal_error(error)}]"
        stopped = deadline.aborted_by == "stop" and not outcome.http_status
        outcome.interrupted = stopped and outcome.error is not None
        if outcome.interrupted:
            outcome.error = "Interrupted: the appliance was stopped meanwhile. The attempt is made again."
        outcome.duration_s = time.monotonic() - deadline.started_s
        return outcome

    def _exchange(self, message: Message, deadline: Deadline, outcome: Outcome) -> None:
        if self._url is None:
            raise TargetRefused(self._unusable)
        request = self._request(message)
        shown = {name: value for name, value in request.headers.items() if name != "Content-Length"}
        shown |= {name: HIDDEN for name, _ in self.endpoint.own_headers}
        outcome.request_headers = json.dumps(shown, ensure_ascii=False)
        try:
            response = self._post(request, deadline)
        except (requests.ConnectionError, OSError):
            # A kept connection that the receiver had closed meanwhile is no failure of its.
            if not deadline.reused or deadline.aborted_by or deadline.left_s() <= 0:
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
            "User-Agent": USER_AGENT,
            "Accept-Encoding": "identity",
            "Content-Length": str(len(data)),
            **signed_headers(self.endpoint.secrets, message.message_id, int(time.time()), message.body),
        }
        request.headers = headers  # type: ignore[assignment]  # the adapter needs no case folding here
        return request

    def _post(self, request: requests.PreparedRequest, deadline: Deadline) -> requests.Response:
        left_s = deadline.left_s()
        if left_s <= 0:
            raise ConnectionFailed("No time was left for the attempt.")
        response = self._adapter.send(request, stream=True, timeout=left_s, verify=self.endpoint.verify)
        if deadline.aborted_by:  # http.client takes headers that were cut off for complete ones
            response.raw.close()
            raise TimeoutError
        return response

    def _read(self, response: requests.Response, deadline: Deadline, outcome: Outcome) -> None:
        raw = response.raw
        status = outcome.http_status = response.status_code
        success = 200 <= status < 300
        keep_bytes = KEPT_ON_SUCCESS_BYTES if success else KEPT_ON_FAILURE_BYTES
        if not success:
            outcome.error = _refusal(status, response.headers.get("Location"))
        outcome.retry_after_s = retry_after_s(status, raw.headers.getlist("Retry-After"))
        outcome.response_headers = _kept_headers(response.headers)
        try:
            kept = _read_body(raw)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            # The status has come: it decides. What the body lacks is only told.
            why = explain(error, deadline, self.endpoint.timeout_s)
            kept = f"[the answer broke off: {why}]".encode()
            raw.close()
        outcome.response_body = clean_lines(kept[:keep_bytes].decode("utf-8", "replace"))


@functools.cache
def _loopback_connector() -> Connector:
    """A connector past address rules and proxy, for the URL of the appliance's own listening socket alone."""
    return Connector(
        AddressRules(allow=tuple(ipaddress.ip_network(network) for network in ("0.0.0.0/0", "::/0")))
    )


def _kept_headers(headers: Any) -> str:
    """As JSON; of a receiver that sends more than any needs, the first 8 KiB."""
    kept: dict[str, str] = {}
    left_bytes = KEPT_HEADERS_BYTES
    for name, value in headers.items():
        left_bytes -= len(name) + len(value)
        if left_bytes < 0:
            kept["…"] = f"[cut off after {KEPT_HEADERS_BYTES:,} bytes]"
            break
        kept[clean(name)] = clean(value)
    return json.dumps(kept, ensure_ascii=False)


def _prepared(url: str) -> str | None:
    """A URL as it goes over the wire.

    Raises:
        RequestException, UnicodeError: it cannot.
    """
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
    while len(kept) < KEPT_ON_FAILURE_BYTES:
        piece = raw.read(KEPT_ON_FAILURE_BYTES - len(kept), decode_content=False)
        if not piece:
            raw.release_conn()
            return kept
        kept += piece
    raw.close()
    return kept


def _refusal(status: int, location: str | None) -> str:
    if 300 <= status < 400:
        where = clean(location)[:MAX_URL] if location else "nowhere"
        return f"The receiver answered {status}, a redirect to {where}: redirects are not followed."
    if status == 410:
        return "The receiver answered 410 Gone: it wants no more."
    return f"The receiver answered {status}."
