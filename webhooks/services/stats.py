"""How it goes, for the eye: what was sent today, what fails, the last hours. From tallies, not from rows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import sqlalchemy as sa

from webhooks.db.models import Delivery, Heard, Lane, Traffic, Webhook
from webhooks.db.models.totals import SLOT_MS
from webhooks.db.store import Store

HOURS: Final = 24
MOST: Final = 10_000  # a count for a page goes no further
_SLOTS: Final = 4  # an hour


@dataclass(frozen=True, slots=True)
class Hour:
    """One bar. ``begins`` is UTC; times in milliseconds, of the delivered attempts."""

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
    """``sent`` and ``failed`` count today's attempts; ``failing`` the webhooks that fail now."""

    sent: int = 0
    failed: int = 0
    failing: int = 0
    paused: int = 0
    webhooks: int = 0
    last_event: datetime | None = None
    unmatched: int = 0
    hours: Sequence[Hour] = field(default_factory=list)


def _slot(moment: datetime) -> int:
    return int(moment.timestamp() * 1000) // SLOT_MS


def _frame() -> list[datetime]:
    """The beginnings of the last 24 hours, the present one last."""
    present = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    return [present - timedelta(hours=ago) for ago in reversed(range(HOURS))]


class Stats:
    """Raises ReadFailed where the database cannot be read."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def of_locations(self, today: datetime) -> dict[int, Pulse]:
        """A pulse for each location that has webhooks or was heard. ``today`` is when the day began."""
        found: dict[int, Pulse] = {}
        since = _slot(today)
        frame = _frame()
        with self._store.read() as session:
            # Summed by the hour already here, so that many webhooks are one row each hour.
            hour = (Traffic.slot // _SLOTS).label("hour")
            first = min(_slot(frame[0]), since)
            sums = sa.select(
                Webhook.location_id, hour, *_SUMS,
                sa.func.sum(sa.case((Traffic.slot >= since, Traffic.delivered), else_=0)),
                sa.func.sum(sa.case((Traffic.slot >= since, Traffic.failed), else_=0)),
            ).join(Webhook, Webhook.id == Traffic.webhook_id)  # fmt: skip
            rows = session.execute(
                sums.where(Traffic.slot >= first, Webhook.deleted_at.is_(None)).group_by(
                    Webhook.location_id, hour
                )
            ).all()
            for location_id in {row[0] for row in rows}:
                own = [row for row in rows if row[0] == location_id]
                pulse = found.setdefault(location_id, Pulse())
                pulse.sent = int(sum(row[6] for row in own))
                pulse.failed = int(sum(row[7] for row in own))
                pulse.hours = _hours(frame, (row[1:6] for row in own))
            for location_id, count, paused, failing in session.execute(_STATES):
                pulse = found.setdefault(location_id, Pulse())
                pulse.webhooks, pulse.paused, pulse.failing = count, int(paused or 0), int(failing or 0)
            for location_id, unmatched, last in session.execute(_HEARD, {"since": since}):
                pulse = found.setdefault(location_id, Pulse())
                pulse.unmatched, pulse.last_event = int(unmatched or 0), last
        for pulse in found.values():
            pulse.hours = pulse.hours or _hours(frame, ())
        return found

    def of_webhooks(self, ids: Sequence[int]) -> dict[int, Sequence[Hour]]:
        """The last 24 hours of each of these webhooks."""
        frame = _frame()
        hour = (Traffic.slot // _SLOTS).label("hour")
        query = sa.select(Traffic.webhook_id, hour, *_SUMS).where(
            Traffic.webhook_id.in_(ids), Traffic.slot >= _slot(frame[0])
        )
        with self._store.read() as session:
            rows = session.execute(query.group_by(Traffic.webhook_id, hour)).all()
        return {one: _hours(frame, (row[1:] for row in rows if row[0] == one)) for one in ids}

    def count(self, webhook_id: int, state: str) -> int:
        """How many of its deliveries are in this state, counted up to MOST + 1."""
        one = sa.select(sa.literal(1)).where(Delivery.webhook_id == webhook_id, Delivery.state == state)
        with self._store.read() as session:
            counted = sa.select(sa.func.count()).select_from(one.limit(MOST + 1).subquery())
            return session.scalar(counted) or 0

    def queues(self) -> tuple[int, int, datetime | None]:
        """(pending, held, when the oldest due delivery was due); counted up to MOST + 1 each."""
        live = sa.select(Webhook.id).scalar_subquery()
        counts = []
        with self._store.read() as session:
            for state in ("pending", "held"):
                rows = sa.select(Delivery.id).where(Delivery.webhook_id.in_(live), Delivery.state == state)
                counted = sa.select(sa.func.count()).select_from(rows.limit(MOST + 1).subquery())
                counts.append(session.scalar(counted) or 0)
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
        due = [moment for moment in oldest if moment is not None and moment <= datetime.now(UTC)]
        return counts[0], counts[1], min(due, default=None)


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


def _hours(frame: Sequence[datetime], rows: Iterable[Sequence[int]]) -> list[Hour]:
    """Rows of (hour since 1970, delivered, failed, sum of milliseconds, slowest) set into the frame."""
    known = {row[0]: row[1:] for row in rows}
    hours = []
    for begins in frame:
        found = known.get(int(begins.timestamp()) // 3600)
        if found is None:
            hours.append(Hour(begins))
            continue
        delivered, failed, total, slowest = map(int, found)
        hours.append(Hour(begins, delivered, failed, total / delivered if delivered else 0, slowest))
    return hours
