"""A webhook's attempt: sign, post, read the response, say in a sentence what went wrong."""

import functools
import ipaddress
import json
import time
from dataclasses import dataclass
from typing import Final, cast
from urllib.parse import urlsplit

import requests

from webhooks.catalogue import HIDDEN
from webhooks.cleaning import clean, clean_lines
from webhooks.db.store import now_ms
from webhooks.errors import AttemptError, ConnectionFailed, Invalid, TargetRefused
from webhooks.outbound.address_rules import AddressRules
from webhooks.outbound.answer import Answer
from webhooks.outbound.connector import Connector
from webhooks.outbound.deadline import Deadline
from webhooks.outbound.explain import explain
from webhooks.outbound.retry_after import retry_after_s
from webhooks.outbound.sender import Message, Outcome, internal_error
from webhooks.outbound.signing import signed_headers
from webhooks.outbound.target import prepared, wire_url
from webhooks.outbound.tls import ssl_context
from webhooks.outbound.transport import Transport
from webhooks.outbound.user_agent import USER_AGENT

KEPT_ON_FAILURE_BYTES: Final = 16 << 10  # of a response; the rest stays unread
KEPT_ON_SUCCESS_BYTES: Final = 1 << 10
KEPT_HEADERS_BYTES: Final = 8 << 10
MAX_URL: Final = 2000  # characters

_to_json: Final = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What an attempt has to know of its webhook. The values of ``own_headers`` are never logged.

    ``identity``: the client certificate with its key (PEM). ``is_test_inbox``: the URL leads to the
    appliance's own listening socket, past the address rules.
    ``unusable``: why no attempt can be made.
    """

    webhook_id: int
    url: str
    secrets: tuple[str, ...]
    timeout_s: float
    own_headers: tuple[tuple[str, str], ...] = ()
    ca: str | None = None
    verify: bool = True
    identity: str | None = None
    is_test_inbox: bool = False
    unusable: str | None = None


class WebhookSender:
    """One webhook's connections and headers. Threads may share it."""

    def __init__(self, endpoint: Endpoint, connector: Connector, connections: int) -> None:
        self.endpoint = endpoint
        self._transport = Transport(
            _loopback_connector() if endpoint.is_test_inbox else connector,
            connections,
            ssl_context(endpoint.ca, endpoint.verify, endpoint.identity),
        )
        self._unusable = endpoint.unusable
        self._headers = {
            **dict(endpoint.own_headers),
            "Content-Type": "application/json",
            "User-Agent": USER_AGENT,
            "Accept-Encoding": "identity",
        }
        # As they are logged, with an open end: to make it anew for each attempt takes as long as to sign.
        shown = self._headers | {name: HIDDEN for name, _ in endpoint.own_headers}
        self._shown = _to_json(shown).removesuffix("}")
        try:
            self._url = None if endpoint.unusable else wire_url(endpoint.url)
        except (requests.RequestException, UnicodeError) as error:
            self._url, self._unusable = None, f"The URL cannot be called: {error}"

    def close(self) -> None:
        self._transport.close()

    def send(self, message: Message, deadline: Deadline) -> Outcome:
        """Make one attempt. Returns its outcome, also of a failure: none is raised."""
        outcome = Outcome(message.delivery_id, message.number, now_ms())
        try:
            self._exchange(message, deadline, outcome)
        except AttemptError as error:
            outcome.error, outcome.broken = str(error), error.connection
        except OSError as error:
            outcome.error, outcome.broken = explain(error, deadline, self.endpoint.timeout_s), True
        except Exception as error:  # whatever it is, it is this attempt's failure and no other's
            if outcome.http_status is None:
                outcome.error = internal_error(error)
            else:  # the status has come: it decides
                outcome.response_body = f"[the answer could not be read: {internal_error(error)}]"
        outcome.interrupted = deadline.stopped and outcome.http_status is None and outcome.error is not None
        if outcome.interrupted:
            outcome.error = "Interrupted: the appliance was stopped meanwhile. The attempt is made again."
        outcome.duration_s = time.monotonic() - deadline.started_s
        return outcome

    def _exchange(self, message: Message, deadline: Deadline, outcome: Outcome) -> None:
        if self._url is None:
            raise TargetRefused(self._unusable)
        request, outcome.request_headers = self._request(message)
        if deadline.left_s() <= 0:
            raise ConnectionFailed("No time was left for the attempt.")
        response = self._transport.send(request, timeout=deadline)
        self._read(cast(Answer, response.raw), deadline, outcome)

    def _request(self, message: Message) -> tuple[requests.PreparedRequest, str]:
        """A signed request, and its headers as they are logged."""
        signed = signed_headers(self.endpoint.secrets, message.message_id, int(time.time()), message.body)
        request = prepared("POST", self._url or "", {**self._headers, **signed}, message.body.encode())
        shown = "".join([f', "{name}": {_to_json(value)}' for name, value in signed.items()])
        return request, f"{self._shown}{shown}}}"

    def _read(self, answer: Answer, deadline: Deadline, outcome: Outcome) -> None:
        status = outcome.http_status = answer.status
        success = 200 <= status < 300
        if not success:
            outcome.error = _refusal(status, answer.values("location"))
        outcome.retry_after_s = retry_after_s(status, answer.values("retry-after"))
        outcome.response_headers = _kept_headers(tuple(answer.headers))
        body = bytearray()
        fault = ""
        try:
            # What is longer is left unread, and its connection closed.
            while len(body) < KEPT_ON_FAILURE_BYTES:
                piece = answer.read(KEPT_ON_FAILURE_BYTES - len(body))
                if not piece:
                    break
                body += piece
        except (AttemptError, OSError) as error:
            # The status has come: it decides. What the answer lacks is only told.
            fault = (
                f"[the answer could not be read whole: {explain(error, deadline, self.endpoint.timeout_s)}]"
            )
        finally:
            answer.close()
        kept = body[: KEPT_ON_SUCCESS_BYTES if success else KEPT_ON_FAILURE_BYTES]
        outcome.response_body = clean_lines(kept.decode("utf-8", "replace")) + fault


@functools.cache
def _loopback_connector() -> Connector:
    """A connector past address rules and proxy, for the URL of the appliance's own listening socket alone."""
    return Connector(
        AddressRules(allow=tuple(ipaddress.ip_network(network) for network in ("0.0.0.0/0", "::/0")))
    )


@functools.lru_cache(maxsize=64)  # within a second, many receivers answer the same to all messages
def _kept_headers(headers: tuple[tuple[str, str], ...]) -> str:
    """As JSON; of a receiver that sends more than any needs, the first 8 KiB."""
    kept: dict[str, str] = {}
    left_bytes = KEPT_HEADERS_BYTES
    for name, value in headers:
        left_bytes -= len(name) + len(value)
        if left_bytes < 0:
            kept["…"] = f"[cut off after {KEPT_HEADERS_BYTES:,} bytes]"
            break
        name, value = clean(name), clean(value)
        kept[name] = f"{kept[name]}, {value}" if name in kept else value
    return _to_json(kept)


def check_sendable(url: str) -> None:
    """Raise Invalid for a URL that no request can be made of, whatever its host."""
    labels = (urlsplit(url).hostname or "").removesuffix(".").split(".")
    if len(url) > MAX_URL:
        raise Invalid(f"The URL is longer than {MAX_URL:,} characters.")
    try:
        wire_url(url)
        if ":" not in labels[0] and any(not 0 < len(label.encode("idna")) < 64 for label in labels):
            raise UnicodeError("a part of the name is empty or too long")
    except (requests.RequestException, UnicodeError) as error:
        raise Invalid(f"The URL cannot be called: {error}.") from None


def _refusal(status: int, locations: list[str]) -> str:
    if 300 <= status < 400:
        where = clean(locations[0])[:MAX_URL] if locations else "nowhere"
        return f"The receiver answered {status}, a redirect to {where}: redirects are not followed."
    if status == 410:
        return "The receiver answered 410 Gone: it wants no more."
    return f"The receiver answered {status}."
