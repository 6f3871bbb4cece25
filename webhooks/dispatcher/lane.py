"""A lane in this process: what its webhook wants, how its receiver behaves, what is in flight."""

import enum
import functools
import json
import time
from dataclasses import replace
from typing import Any, Final

from webhooks.db.raw import RawConnection
from webhooks.db.store import Store
from webhooks.dispatcher import lane_rows
from webhooks.dispatcher.circuit_breaker import CircuitBreaker
from webhooks.dispatcher.lane_rows import LaneRow
from webhooks.dispatcher.token_bucket import TokenBucket
from webhooks.dispatcher.zoho_senders import make_zoho_sender
from webhooks.outbound.connector import Connector
from webhooks.outbound.options import Options
from webhooks.outbound.sender import Outcome, Sender, UnusableSender, internal_error
from webhooks.outbound.webhook_sender import Endpoint, WebhookSender
from webhooks.outbound.zoho_sender import ZohoSender
from webhooks.outbox.claim import Claim, ClaimLimits
from webhooks.settings import Settings

BULK_ROWS: Final = 50  # rows that a fast thread takes at a time
FAST_SHARE: Final = 2  # tasks of one lane for fast threads at a time
FAST_S: Final = 0.02  # a receiver that answers within this is served by the fast threads


class LaneKind(enum.Enum):
    """How a lane is served."""

    FAST = "its receiver answers at once: by a fast thread"
    SLOW = "by the pool, as many at a time as its webhook allows"
    PROBATION = "not proven, or in trouble: one attempt at a time, in half of the pool"


class Lane:
    """A lane from its first claim in this process on.

    The dispatcher's thread alone reads and changes all of it, without a lock. Attempt threads only read
    ``sender`` and ``health.held_until_ms``, where a value that is a moment old does no harm.
    """

    def __init__(self, webhook_id: int) -> None:
        self.webhook_id = webhook_id
        self.owned = False
        self.active = True
        self.may_have_more = False  # due rows may be left
        self.backlogged = False  # more was due than the last claim took
        self.has_answered = False  # its receiver has, maybe to another process, as the last look said
        self.in_flight = 0  # tasks
        self.deferred_calls: set[str] = set()  # calls with rows that wait for an earlier one
        self.health = self._saved = CircuitBreaker()
        self.options = _options("")
        self.rate_wait_ms = 0.0  # until its rate allows a row, as of the last ``claim_limits``
        self.used_s = time.monotonic()
        self._answers = LaneKind.PROBATION  # as the receiver's last answer in this process has it
        self._bucket = TokenBucket(self.used_s)
        self.timeout_s = 0.0  # of one attempt
        self._sender: Sender | None = None
        self._endpoint: Endpoint | None = None  # of the sender
        self._settings: tuple[object, ...] | None = None  # of a sender that stays good while they do
        self._unprepared: LaneRow | None = None  # its sender is yet to be made

    @property
    def idle(self) -> bool:
        """Whether nothing is in flight."""
        return not self.in_flight

    @property
    def busy(self) -> bool:
        """Whether it can take nothing until a report of it is here, however much is due."""
        return self.in_flight > 0 and self.in_flight >= self._most_tasks(self.kind)

    @property
    def has_failed(self) -> bool:
        """Whether its last attempt was a timeout or a connection error."""
        return self.health.broken > 0

    def held(self, now_ms: int) -> bool:
        """Whether its webhook is not active, or waits for its receiver."""
        return not self.active or now_ms < self.health.held_until_ms

    def may_claim(self, now_ms: int) -> bool:
        """Whether it is not held, and its rate allows a row, as of the last ``claim_limits``."""
        return not (self.rate_wait_ms or self.held(now_ms))

    @property
    def kind(self) -> LaneKind:
        return LaneKind.PROBATION if self.health.probing else self._answers

    @property
    def sender(self) -> Sender:
        assert self._sender is not None, "a lane is prepared before it is used"
        return self._sender

    def load(self, row: LaneRow, settings: Settings) -> None:
        """Take over its row: on acquiring the lane, and whenever the configuration changed.

        It is done with the database's write lock held: what takes long is left to ``prepare``.
        """
        self.active = row.active
        self.health, self._saved = row.health, row.health
        if row.settings == self._settings:
            return
        self._settings, self._unprepared = None, row
        try:
            self.options = _options(row.options)
        except Exception as error:  # of one webhook: each of its attempts says so, and the others go on
            self.options, self._endpoint, self._unprepared = _options(""), None, None
            self._sender = UnusableSender(internal_error(error))
        self.timeout_s = self.options.timeout or settings.timeout
        self._bucket.rate_per_s = self.options.rate

    def prepare(self, settings: Settings, connector: Connector, store: Store, now_ms: int) -> None:
        """Make its sender as the row that was loaded says, before the first attempt after that."""
        row, self._unprepared = self._unprepared, None
        if row is None:
            return
        try:
            if row.integration == "zoho":
                endpoint = None
                self._load_zoho(settings, connector, store)
            elif self._endpoint != (endpoint := self._read_endpoint(row, settings, store, now_ms)):
                self.close()
                self._sender = WebhookSender(endpoint, connector, self.options.concurrency + FAST_SHARE)
        except Exception as error:
            endpoint = None
            self._sender = UnusableSender(internal_error(error))
        self._endpoint = endpoint
        rotating = row.previous_secret is not None and (row.previous_until or 0) > now_ms
        if endpoint is not None and endpoint.unusable is None and not rotating:
            self._settings = row.settings

    def _read_endpoint(self, row: LaneRow, settings: Settings, store: Store, now_ms: int) -> Endpoint:
        return lane_rows.endpoint(row, self.options, settings, store.vault, now_ms)

    def _load_zoho(self, settings: Settings, connector: Connector, store: Store) -> None:
        if isinstance(self._sender, ZohoSender):
            self._sender.reload()  # its connections stay
        else:
            self._sender = make_zoho_sender(self.webhook_id, self.options, settings, connector, store)

    def claim_limits(self, now_ms: int, capacity: int) -> ClaimLimits:
        """What may be claimed now. ``capacity``: rows that the worker pool can take of this lane."""
        self.rate_wait_ms = 0.0
        if capacity <= 0 or self.held(now_ms):
            return ClaimLimits(0, 0)
        kind = self.kind
        # More are in flight than may be where a person has just lowered the concurrency.
        tasks = max(0, self._most_tasks(kind) - self.in_flight)
        rows = min(BULK_ROWS if tasks and kind is LaneKind.FAST else tasks, capacity)
        return ClaimLimits(min(rows, self._affordable()), rows, self.options.max_age_ms)

    def _most_tasks(self, kind: LaneKind) -> int:
        if kind is LaneKind.PROBATION:
            return 1
        return (
            min(FAST_SHARE, self.options.concurrency) if kind is LaneKind.FAST else self.options.concurrency
        )

    def _affordable(self) -> int:
        allowed = self._bucket.available(time.monotonic())
        self.rate_wait_ms = self._bucket.wait_ms()
        return BULK_ROWS if allowed is None else allowed

    def note_claim(self, claim: Claim, rows: int) -> None:
        """Note what a claim chose, and how many rows of it are claimed."""
        self.may_have_more = self.backlogged = claim.may_have_more
        self.deferred_calls |= claim.deferred_calls
        self._bucket.spend(rows)
        self.used_s = time.monotonic()

    def note_outcome(self, outcome: Outcome, now_ms: int, *, is_test: bool = False) -> str | None:
        """Note an outcome. Returns a reason to disable the webhook, if there is one.

        A test event says how quickly the receiver answers, and counts for nothing else.
        """
        if outcome.delivered:
            self._answers = LaneKind.FAST if outcome.duration_s < FAST_S else LaneKind.SLOW
        elif outcome.broken:
            self._answers = LaneKind.PROBATION
        return None if is_test else self.health.note(outcome, now_ms)

    def save_health(self, direct: RawConnection) -> None:
        """Write the record down where it changed: a healthy lane costs no statement."""
        if self.health != self._saved:
            lane_rows.save_health(direct, self.webhook_id, self.health, self._saved)
            self._saved = replace(self.health)

    def disable(self, direct: RawConnection, reason: str) -> bool:
        """Disable the webhook: its deliveries are held from now on. Returns False where it was not active."""
        self.active = False
        return lane_rows.disable(direct, self.webhook_id, reason)

    def end_subscription(self, direct: RawConnection, now_ms: int) -> bool:
        """Delete the webhook if a Zap has subscribed it: its deliveries are dropped. Else returns False."""
        ended = lane_rows.end_subscription(direct, self.webhook_id, now_ms)
        self.active = self.active and not ended
        return ended

    def close(self) -> None:
        """Close its connections; those in use once their answers are read."""
        if self._sender is not None:
            self._sender.close()


def _options(value: str | dict[str, Any]) -> Options:
    """Options of a JSON column as the driver gives it: psycopg has it parsed already."""
    if isinstance(value, str):
        return _options_of(value)  # nobody changes them
    return Options.model_construct(**value)  # validated when they were set


@functools.lru_cache(maxsize=256)  # most webhooks have the same: none
def _options_of(text: str) -> Options:
    return Options.model_construct(**json.loads(text or "{}"))
