"""Statistics for pages: today's attempts and the last 24 hours, read from counts and not from deliveries."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy import orm

from webhooks.db.models import Delivery, Heard, Lane, Traffic, Webhook
from webhooks.db.models.totals import SLOT_MS
from webhooks.db.store import Store

HOURS: Final = 24
MOST: Final = 10_000  # a count for a page goes no further
_SLOTS: Final = 4  # an hour


@dataclass(frozen=True, slots=True)
class Hour:
    """The attempts of one hour, which ``begins`` in UTC. Times are in ms, of delivered attempts alone."""

    begins: datetime
    delivered: int = 0
    failed: int = 0
    average: float = 0
    slowest: int = 0

    @property
    def all(self) -> int:
        return self.delivered + self.failed


@dataclass(slots=True)
class Pulse:
    """A location's statistics.

    ``sent`` and ``failed`` count today's attempts, ``failing`` the webhooks that fail now, ``unmatched``
    today's events that were for no webhook.
    """

    sent: int = 0
    failed: int = 0
    failing: int = 0
    paused: int = 0
    webhooks: int = 0
    last_event: datetime | None = None
    unmatched: int = 0
    hours: Sequence[Hour] = field(default_factory=list)


class Queues(NamedTuple):
    """Open deliveries of all webhooks, counted up to ``MOST + 1``; when the oldest due one was due."""

    pending: int
    held: int
    oldest_due_at: datetime | None


class _Sums(NamedTuple):
    """A row of summed attempts; ``of`` is a location or a webhook, ``hour`` counts those since 1970."""

    of: int
    hour: int
    delivered: int
    failed: int
    milliseconds: int
    slowest: int


def _slot(moment: datetime) -> int:
    return int(moment.timestamp() * 1000) // SLOT_MS


def _frame() -> list[datetime]:
    """Return when each of the last 24 hours began, the present one last."""
    present = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    return [present - timedelta(hours=ago) for ago in reversed(range(HOURS))]


class Stats:
    """Counts of attempts, events and open deliveries. Raises ReadFailed as the Store does."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def of_locations(self, today: datetime) -> dict[int, Pulse]:
        """Read the statistics of each location that has webhooks or sent events.

        ``today`` is when the day began.
        """
        pulses: defaultdict[int, Pulse] = defaultdict(Pulse)
        frame = _frame()
        with self._store.read() as session:
            _add_attempts(session, pulses, frame, _slot(today))
            for location_id, count, paused, failing in session.execute(_STATES):
                pulse = pulses[location_id]
                pulse.webhooks, pulse.paused, pulse.failing = count, int(paused or 0), int(failing or 0)
            for location_id, unmatched, last_at in session.execute(_HEARD, {"since": _slot(today)}):
                pulse = pulses[location_id]
                pulse.unmatched, pulse.last_event = int(unmatched or 0), last_at
        for pulse in pulses.values():
            pulse.hours = pulse.hours or _hours(frame, ())
        return dict(pulses)

    def of_webhooks(self, ids: Sequence[int]) -> dict[int, Sequence[Hour]]:
        """Read the last 24 hours of each of these webhooks."""
        frame = _frame()
        query = sa.select(Traffic.webhook_id, _HOUR, *_SUMS).where(
            Traffic.webhook_id.in_(ids), Traffic.slot >= _slot(frame[0])
        )
        with self._store.read() as session:
            rows = [_Sums(*row) for row in session.execute(query.group_by(Traffic.webhook_id, _HOUR))]
        return {
            webhook_id: _hours(frame, [row for row in rows if row.of == webhook_id]) for webhook_id in ids
        }

    def count(self, webhook_id: int, state: str) -> int:
        """Count a webhook's deliveries in a state, up to ``MOST + 1``."""
        rows = sa.select(sa.literal(1)).where(Delivery.webhook_id == webhook_id, Delivery.state == state)
        with self._store.read() as session:
            counted = sa.select(sa.func.count()).select_from(rows.limit(MOST + 1).subquery())
            return session.scalar(counted) or 0

    def queues(self) -> Queues:
        """Count what waits, and read since when."""
        live = sa.select(Webhook.id).scalar_subquery()
        counts: dict[str, int] = {}
        with self._store.read() as session:
            for state in ("pending", "held"):
                rows = sa.select(Delivery.id).where(Delivery.webhook_id.in_(live), Delivery.state == state)
                counted = sa.select(sa.func.count()).select_from(rows.limit(MOST + 1).subquery())
                counts[state] = session.scalar(counted) or 0
            first = (
                sa.select(Delivery.due_at)
                .where(Delivery.webhook_id == Webhook.id, Delivery.state == "pending")
                .order_by(Delivery.due_at)
                .limit(1)
                .scalar_subquery()
            )
            oldest = session.scalars(
                sa.select(first.label("due")).where(Webhook.deleted_at.is_(None), Webhook.state == "active")
            ).all()
        due = [due_at for due_at in oldest if due_at is not None and due_at <= datetime.now(UTC)]
        return Queues(counts["pending"], counts["held"], min(due, default=None))


_HOUR = (Traffic.slot // _SLOTS).label("hour")
_SUMS = (
    sa.func.sum(Traffic.delivered),
    sa.func.sum(Traffic.failed),
    sa.func.sum(Traffic.milliseconds),
    sa.func.max(Traffic.slowest),
)
_STATES = (
    sa.select(
        Webhook.location_id,
        sa.func.count(),
        sa.func.sum(sa.case((Webhook.state != "active", 1), else_=0)),
        sa.func.sum(
            sa.case((sa.and_(Webhook.state == "active", Lane.failing_since.is_not(None)), 1), else_=0)
        ),
    )
    .join(Lane, Lane.webhook_id == Webhook.id)
    .where(Webhook.deleted_at.is_(None))
    .group_by(Webhook.location_id)
)
_HEARD = sa.select(
    Heard.location_id,
    sa.func.sum(sa.case((Heard.slot >= sa.bindparam("since"), Heard.unmatched), else_=0)),
    sa.func.max(Heard.last_at),
).group_by(Heard.location_id)


def _add_attempts(
    session: orm.Session, pulses: defaultdict[int, Pulse], frame: Sequence[datetime], today_slot: int
) -> None:
    # Summed by the hour in the database: a location with many webhooks is one row each hour.
    query = sa.select(
        Webhook.location_id, _HOUR, *_SUMS,
        sa.func.sum(sa.case((Traffic.slot >= today_slot, Traffic.delivered), else_=0)),
        sa.func.sum(sa.case((Traffic.slot >= today_slot, Traffic.failed), else_=0)),
    ).join(Webhook, Webhook.id == Traffic.webhook_id).where(
        Traffic.slot >= min(_slot(frame[0]), today_slot), Webhook.deleted_at.is_(None)
    )  # fmt: skip
    sums: defaultdict[int, list[_Sums]] = defaultdict(list)
    for *row, sent_today, failed_today in session.execute(query.group_by(Webhook.location_id, _HOUR)):
        hour = _Sums(*row)
        sums[hour.of].append(hour)
        pulses[hour.of].sent += int(sent_today)
        pulses[hour.of].failed += int(failed_today)
    for location_id, hours in sums.items():
        pulses[location_id].hours = _hours(frame, hours)


def _hours(frame: Sequence[datetime], rows: Iterable[_Sums]) -> list[Hour]:
    """Set rows into the frame of hours."""
    by_hour = {row.hour: row for row in rows}
    hours = []
    for begins in frame:
        sums = by_hour.get(int(begins.timestamp()) // 3600)
        if sums is None:
            hours.append(Hour(begins))
            continue
        delivered = int(sums.delivered)
        average = int(sums.milliseconds) / delivered if delivered else 0
        hours.append(Hour(begins, delivered, int(sums.failed), average, int(sums.slowest)))
    return hours
