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
from webhooks.services.integrations import INTEGRATIONS

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
    """Statistics of a location, or of one of its integrations.

    ``sent`` and ``failed`` count today's attempts, ``failing`` the webhooks that fail now, ``unmatched``
    today's events of a location that were for no webhook.
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


_Heard = tuple[int, datetime | None]  # today's unmatched events, and when the last event came


class _Sums(NamedTuple):
    """A row of summed attempts of one hour; ``hour`` counts those since 1970."""

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
        parts, heard = self._pulses(today)
        of: defaultdict[int, list[Pulse]] = defaultdict(list)
        for (location_id, _), pulse in parts.items():
            of[location_id].append(pulse)
        pulses = {location_id: together(of[location_id]) for location_id in of.keys() | heard.keys()}
        for location_id, pulse in pulses.items():
            pulse.unmatched, pulse.last_event = heard.get(location_id, (0, None))
            pulse.hours = pulse.hours or _hours(_frame(), ())
        return pulses

    def of_integrations(self, today: datetime) -> dict[tuple[int, str], Pulse]:
        """Read the statistics of each location's integrations, also of those without webhooks."""
        parts, heard = self._pulses(today)
        keys = {(location_id, name) for location_id in heard for name in INTEGRATIONS}
        pulses = {key: parts.get(key) or Pulse(hours=_hours(_frame(), ())) for key in parts.keys() | keys}
        for (location_id, _), pulse in pulses.items():
            pulse.last_event = heard.get(location_id, (0, None))[1]
        return pulses

    def _pulses(self, today: datetime) -> tuple[dict[tuple[int, str], Pulse], dict[int, _Heard]]:
        """Return what is counted for each location and integration, and what each location was heard of."""
        pulses: defaultdict[tuple[int, str], Pulse] = defaultdict(Pulse)
        frame = _frame()
        with self._store.read() as session:
            _add_attempts(session, pulses, frame, _slot(today))
            for location_id, name, count, paused, failing in session.execute(_STATES):
                pulse = pulses[location_id, name]
                pulse.webhooks, pulse.paused, pulse.failing = count, int(paused or 0), int(failing or 0)
            rows = session.execute(_HEARD, {"since": _slot(today)})
            heard = {location_id: (int(unmatched or 0), last_at) for location_id, unmatched, last_at in rows}
        for pulse in pulses.values():
            pulse.hours = pulse.hours or _hours(frame, ())
        return pulses, heard

    def of_webhooks(self, ids: Sequence[int]) -> dict[int, Sequence[Hour]]:
        """Read the last 24 hours of each of these webhooks."""
        frame = _frame()
        query = sa.select(Traffic.webhook_id, _HOUR, *_SUMS).where(
            Traffic.webhook_id.in_(ids), Traffic.slot >= _slot(frame[0])
        )
        with self._store.read() as session:
            rows = session.execute(query.group_by(Traffic.webhook_id, _HOUR)).all()
        return {
            webhook_id: _hours(frame, [_Sums(*sums) for of, *sums in rows if of == webhook_id])
            for webhook_id in ids
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
        Webhook.integration,
        sa.func.count(),
        sa.func.sum(sa.case((Webhook.state != "active", 1), else_=0)),
        sa.func.sum(
            sa.case((sa.and_(Webhook.state == "active", Lane.failing_since.is_not(None)), 1), else_=0)
        ),
    )
    .join(Lane, Lane.webhook_id == Webhook.id)
    .where(Webhook.deleted_at.is_(None))
    .group_by(Webhook.location_id, Webhook.integration)
)
_HEARD = sa.select(
    Heard.location_id,
    sa.func.sum(sa.case((Heard.slot >= sa.bindparam("since"), Heard.unmatched), else_=0)),
    sa.func.max(Heard.last_at),
).group_by(Heard.location_id)


def _add_attempts(
    session: orm.Session,
    pulses: defaultdict[tuple[int, str], Pulse],
    frame: Sequence[datetime],
    today_slot: int,
) -> None:
    # Summed by the hour in the database: an integration with many webhooks is one row each hour.
    query = sa.select(
        Webhook.location_id, Webhook.integration, _HOUR, *_SUMS,
        sa.func.sum(sa.case((Traffic.slot >= today_slot, Traffic.delivered), else_=0)),
        sa.func.sum(sa.case((Traffic.slot >= today_slot, Traffic.failed), else_=0)),
    ).join(Webhook, Webhook.id == Traffic.webhook_id).where(
        Traffic.slot >= min(_slot(frame[0]), today_slot), Webhook.deleted_at.is_(None)
    )  # fmt: skip
    sums: defaultdict[tuple[int, str], list[_Sums]] = defaultdict(list)
    by = (Webhook.location_id, Webhook.integration, _HOUR)
    for location_id, name, *row, sent_today, failed_today in session.execute(query.group_by(*by)):
        sums[location_id, name].append(_Sums(*row))
        pulses[location_id, name].sent += int(sent_today)
        pulses[location_id, name].failed += int(failed_today)
    for key, hours in sums.items():
        pulses[key].hours = _hours(frame, hours)


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


def together(pulses: Iterable[Pulse]) -> Pulse:
    """Sum statistics."""
    whole = Pulse()
    for pulse in pulses:
        whole.sent += pulse.sent
        whole.failed += pulse.failed
        whole.failing += pulse.failing
        whole.paused += pulse.paused
        whole.webhooks += pulse.webhooks
        whole.unmatched += pulse.unmatched
        if pulse.last_event and (whole.last_event is None or pulse.last_event > whole.last_event):
            whole.last_event = pulse.last_event
        pairs = zip(whole.hours, pulse.hours, strict=True) if whole.hours else ()
        whole.hours = [_sum(*pair) for pair in pairs] or pulse.hours
    return whole


def _sum(one: Hour, other: Hour) -> Hour:
    """The attempts of one hour at two places; their average is weighed by what was delivered."""
    delivered = one.delivered + other.delivered
    took = one.average * one.delivered + other.average * other.delivered
    return Hour(
        one.begins, delivered, one.failed + other.failed, took / delivered if delivered else 0,
        max(one.slowest, other.slowest),
    )  # fmt: skip
