"""A worker's picture of its lanes: what the webhook wants, how its receiver behaves, what is under way."""

import contextlib
import json
import math
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final, NamedTuple

from webhooks.db.raw import RawConnection
from webhooks.dispatcher.circuit_breaker import CircuitBreaker
from webhooks.errors import SecretLost
from webhooks.outbound.address_rules import own_inbox
from webhooks.outbound.attempt import Endpoint, Outcome, Sender, Unusable, fault
from webhooks.outbound.options import Options
from webhooks.outbound.pinned_adapter import Connector
from webhooks.outbox.claim import Claim, ClaimLimits
from webhooks.settings import Settings
from webhooks.vault import Vault

CHUNK: Final = 50  # rows that a fast thread takes at a time
FAST_SHARE: Final = 2  # chunks of one lane at a time
QUICK_SECONDS: Final = 0.02  # a receiver that answers within this is served by the fast threads

_SELECT = """
    SELECT w.id, w.url, w.secret, w.previous_secret, w.previous_until, w.options, w.state, w.deleted_at,
           l.failures, l.broken, l.failing_since, l.not_before, l.probe_at
    FROM webhook w JOIN lane l ON l.webhook_id = w.id WHERE w.id IN :ids
"""
_HEALTH = """
    UPDATE lane SET failures = :failures, broken = :broken, failing_since = :failing_since,
           not_before = :not_before, probe_at = :probe_at WHERE webhook_id = :w
"""
_DISABLE = """
    UPDATE webhook SET state = 'disabled', reason = :reason
    WHERE id = :w AND state = 'active' AND deleted_at IS NULL
"""


class LaneRow(NamedTuple):
    """A lane as the tables have it."""

    webhook_id: int
    url: str
    secret: str
    previous_secret: str | None
    previous_until: int | None
    options: str | dict[str, Any]
    state: str
    deleted_at: int | None
    failures: int
    broken: int
    failing_since: int | None
    not_before: int
    probe_at: int


def read(direct: RawConnection, webhook_ids: Iterable[int]) -> list[LaneRow]:
    """Webhooks and records of lanes."""
    return [LaneRow(*row) for row in direct.rows(_SELECT, {"ids": webhook_ids})]


def _json(value: str | dict[str, Any]) -> dict[str, Any]:
    """A JSON column as the driver gives it: psycopg has it parsed already."""
    return json.loads(value) if isinstance(value, str) else value


class Lane:
    """One lane in this process, from the first claim on; the dispatcher alone changes it."""

    def __init__(self, webhook_id: int) -> None:
        self.webhook_id = webhook_id
        self.owned = False
        self.more = False  # due rows may be left
        self.deep = False  # there were more of them than a claim takes
        self.active = True
        self.proven = False  # the receiver has answered well since this process came to know it
        self.quick = False
        self.chunks = 0  # tasks at the fast threads
        self.chains = 0  # tasks in the pool
        self.pushed: set[str] = set()
        self.health = self._saved = CircuitBreaker()
        self.options = Options()
        self.rate_wait = 0.0
        self.used_at = time.monotonic()
        self._tokens = 0.0
        self._filled_at = time.monotonic()
        self._sender: Sender | Unusable | None = None

    @property
    def idle(self) -> bool:
        return not self.chunks and not self.chains

    @property
    def cautious(self) -> bool:
        """Not proven, or in trouble: one request at a time, and all such lanes share half the pool."""
        return not self.proven or self.health.circuit_open

    @property
    def sender(self) -> Sender | Unusable:
        assert self._sender is not None, "a lane is read before it is used"
        return self._sender

    def know(self, row: LaneRow, settings: Settings, gate: Connector, vault: Vault, now: int) -> None:
        """Take over what was read: on becoming the owner, and when the configuration changed."""
        self.active = row.state == "active" and row.deleted_at is None
        self.health = CircuitBreaker(
            row.failures, row.broken, row.failing_since, row.not_before, row.probe_at
        )
        self._saved = replace(self.health)
        try:
            self.options = Options.model_construct(**_json(row.options))  # checked when it was set
            endpoint = _endpoint(row, self.options, settings, vault, now)
            if self._sender is None or self._sender.endpoint != endpoint:
                # The former sender's connections end with the threads that still use it.
                self._sender = Sender(endpoint, gate, self.options.concurrency + FAST_SHARE)
        except Exception as error:  # of one webhook: each of its attempts says so, and the others go on
            self.options = Options()
            self._sender = Unusable(row.webhook_id, settings.timeout, fault(error))

    def wish(self, now: int, free: int) -> ClaimLimits:
        """What may be claimed now, given so many free places of the crew for this lane."""
        self.rate_wait = 0.0
        if not self.active or now < self.health.held_until or free <= 0:
            return ClaimLimits(0, 0)
        if self.cautious:
            rows = chains = 1 if self.idle else 0
        elif self.quick:
            share = min(FAST_SHARE, self.options.concurrency) > self.chunks + self.chains
            rows = chains = min(CHUNK, free) if share else 0
        else:
            rows = chains = min(self.options.concurrency - self.chains - self.chunks, free)
        return ClaimLimits(min(rows, self._affordable()), chains, self.options.max_age_ms)

    def _affordable(self) -> int:
        """Rows that the webhook's rate allows now; ``rate_wait`` says in how many ms one more is."""
        rate = self.options.rate
        if rate is None:
            return CHUNK
        now = time.monotonic()
        self._tokens = min(max(rate, 1.0), self._tokens + (now - self._filled_at) * rate)
        self._filled_at = now
        if self._tokens < 1:
            self.rate_wait = (1 - self._tokens) / rate * 1000
        return math.floor(self._tokens)

    def took(self, claim: Claim) -> None:
        """Note what was claimed."""
        self.more = self.deep = claim.more
        self.pushed |= claim.pushed
        self._tokens -= sum(map(len, claim.chains))
        self.used_at = time.monotonic()

    def close(self) -> None:
        if self._sender is not None:
            self._sender.close()

    def note(self, outcome: Outcome, now: int) -> str | None:
        """Take an outcome in; the answer is a reason to disable the webhook, if there is one."""
        if outcome.delivered:
            self.proven = True
            self.quick = outcome.seconds < QUICK_SECONDS
        elif outcome.broken:
            self.proven = self.quick = False
        return self.health.note(outcome, now)

    def save_health(self, direct: RawConnection) -> None:
        """Write the record down if it is another one: a healthy lane costs no statement."""
        health = self.health
        if health == self._saved:
            return
        direct.run(
            _HEALTH,
            {
                "w": self.webhook_id,
                "failures": health.failures,
                "broken": health.broken,
                "failing_since": health.failing_since,
                "not_before": health.not_before,
                "probe_at": health.probe_at,
            },
        )
        self._saved = replace(health)

    def disable(self, direct: RawConnection, reason: str) -> bool:
        """Disable the webhook; its deliveries are held from now on."""
        self.active = False
        return direct.run(_DISABLE, {"w": self.webhook_id, "reason": reason}) == 1


def _endpoint(row: LaneRow, options: Options, settings: Settings, vault: Vault, now: int) -> Endpoint:
    secrets: list[str] = []
    headers: list[tuple[str, str]] = []
    fault = None
    try:
        secrets.append(vault.open(row.secret))
        headers += [(name, vault.open(value)) for name, value in options.headers.items()]
    except SecretLost as error:
        fault = str(error)
    if row.previous_secret and row.previous_until and row.previous_until > now:
        with contextlib.suppress(SecretLost):
            secrets.append(vault.open(row.previous_secret))
    inbox = own_inbox(settings, row.url)
    return Endpoint(
        row.webhook_id,
        f"{settings.own_url}{inbox}" if inbox else row.url,
        tuple(secrets),
        options.timeout or settings.timeout,
        tuple(headers),
        options.ca,
        options.verify,
        own=inbox is not None,
        fault=fault,
    )
