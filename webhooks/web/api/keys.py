"""Who may use the API: ``Authorization: Bearer KEY``, to read or to write, so many requests a second."""

import math
import threading
import time
from collections.abc import Callable
from typing import Final

from flask import Blueprint, g, request
from werkzeug.exceptions import Forbidden, MethodNotAllowed

from webhooks.db.models import ApiKey
from webhooks.dispatcher.token_bucket import TokenBucket
from webhooks.errors import Invalid, TooMany, Unauthorised
from webhooks.services.api_keys import READ
from webhooks.services.container import services
from webhooks.tokens import token_hash
from webhooks.web.shared.access import act_as

RATE_PER_S: Final = 50.0  # of a key, in one web process
_HOOK: Final = "/api/events"  # whose GET is the API's
_READING: Final = frozenset({"GET", "HEAD"})
# What a key may do that a service outside holds: subscribe, and read samples.
_OF_CONNECTIONS: Final = frozenset({
    "api_account.me", "api_webhooks.index", "api_webhooks.add", "api_webhooks.show", "api_webhooks.delete",
    "api_events.index",
})  # fmt: skip


class Limits:
    """A token bucket for each key, in this process alone: the limit guards the pages' threads, no more."""

    def __init__(self, rate_per_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate_per_s, self._clock = rate_per_s, clock
        self._lock = threading.Lock()
        self._buckets: dict[int, TokenBucket] = {}

    def take(self, key_id: int) -> None:
        """Take a request of a key. Raises TooMany where it has none left."""
        at_s = self._clock()
        with self._lock:
            # One second ago, so that it is full at first.
            bucket = self._buckets.setdefault(key_id, TokenBucket(at_s - 1, self._rate_per_s))
            if bucket.available(at_s):
                bucket.spend(1)
                return
            wait_s = max(1, math.ceil(bucket.wait_ms() / 1000))
        raise TooMany(
            f"This key has sent more than {self._rate_per_s:g} requests a second: go on in {wait_s} s.",
            wait_s,
        )


limits = Limits(RATE_PER_S)


def new_blueprint(name: str) -> Blueprint:
    """Make a blueprint below ``/api`` whose views want a key."""
    blueprint = Blueprint(f"api_{name}", __name__, url_prefix="/api")
    blueprint.before_request(_require_key)
    return blueprint


def present_key() -> ApiKey:
    """Return the key of this request."""
    key: ApiKey = g.api_key
    return key


def place_of_key(wanted: str | None) -> str | None:
    """Return the location that is meant: the wanted one, or that of the key, if it was made for one.

    Raises Invalid where a key wants another location than its own.
    """
    connection = present_key().connection
    if connection is None:
        return wanted
    own = connection.location.name
    if wanted is not None and wanted != own:
        raise Invalid(f"This key is for the location {own!r} alone; leave the location out.", "location")
    return own


def _require_key() -> None:
    if request.method == "OPTIONS":
        return
    key = _authenticated()
    limits.take(key.id)
    if key.scope == READ and request.method not in _READING:
        raise Forbidden(f"The key {key.name!r} is for reading only: use a key that may write.")
    if key.connection is not None and request.endpoint not in _OF_CONNECTIONS:
        raise Forbidden(
            f"The key {key.name!r} was made for an integration, which may only subscribe to events. For "
            "anything else make a key on the page API keys."
        )
    g.api_key = key
    act_as(f"API key {key.name}")


def _authenticated() -> ApiKey:
    authorization = request.authorization
    token = authorization.token if authorization and authorization.type == "bearer" else None
    if not token:
        raise Unauthorised("Give an API key: Authorization: Bearer KEY. Make one on the page API keys.")
    try:
        return services().api_keys.authenticate(token)
    except Unauthorised:
        if _is_of_location(token):
            if request.path == _HOOK:
                raise MethodNotAllowed(["POST"]) from None
            raise Unauthorised(
                "This is a location's token: it posts events, and the API wants an API key."
            ) from None
        raise


def _is_of_location(token: str) -> bool:
    """Whether a phone system's token came here, as from one that was told to use GET."""
    try:
        services().intake.namespace(token_hash(token))
    except Unauthorised:
        return False
    return True
