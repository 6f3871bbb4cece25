"""The delivery log: deliveries that meet a filter, newest first, a page at a time.

Every page costs the same, with a million deliveries as with a thousand. An index finds candidates by webhook,
state, call, number or time. They are read in bounded steps and checked against the rest of the filter. A page
that has read enough of them says how far it came, and the next page goes on from there.
"""

import heapq
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy import orm

from webhooks.catalogue import STATES
from webhooks.db.models import Delivery, Event, EventNumber, Webhook
from webhooks.db.raw import among, is_sqlite
from webhooks.db.store import Store
from webhooks.errors import Unavailable
from webhooks.events import indexer
from webhooks.events.schema import thread_key
from webhooks.outbox.streams import Stream, newest
from webhooks.services import standing
from webhooks.services.delivery_conditions import conditions_of, filtered, webhooks_of
from webhooks.services.delivery_filter import DeliveryFilter
from webhooks.services.delivery_state import Facts
from webhooks.services.number_search import numbers_that_end

PAGE: Final = 50
_STEP: Final = 150  # candidates in the first statement; each further one has twice as many
_STEP_MOST: Final = 1_200
_CANDIDATES: Final = 2_000  # that one page reads at most
_STREAMS: Final = 1_000  # webhooks × states that are merged; with more, all deliveries are candidates
_TOGETHER: Final = 100  # streams in one statement
_ROWS: Final = 600  # read at a time from all streams
_LOW: Final = 10  # rows of a stream, below which it is read on
_NAMED: Final = 1_500  # the same for a name, which no index has: their texts are read
_COUNTED: Final = 1_000
_NEWEST: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the log; ``facts`` has how its deliveries stand, by their ids.

    ``older`` is the cursor of the next page, None at the end. ``looked_to``: candidates were read down to
    this time, and there may be more before it.
    """

    rows: Sequence[Delivery]
    facts: dict[int, Facts]
    older: int | None
    looked_to: datetime | None


class Found(NamedTuple):
    """How many deliveries were counted; ``more``: there are more, or they were not all looked at."""

    total: int
    more: bool


class DeliveryLog:
    """Raises ReadFailed where the database cannot be read."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def page(self, wanted: DeliveryFilter, before: int | None = None, count: int = PAGE) -> Page:
        """Read deliveries with ids below ``before``, newest first, with their events and webhooks."""
        if wanted.number and wanted.name is None:
            self._catch_up()
        with self._store.read() as session:
            ids, looked_to = _matching(session, wanted, before or _NEWEST, count + 1)
            shown = ids[:count]
            found = session.scalars(_SHOWN.where(among(session, Delivery.id, shown)))
            rows = sorted(found, key=lambda row: -row.id)
            older = shown[-1] if len(ids) > count else looked_to
            behind = session.get(Delivery, looked_to) if looked_to and len(ids) <= count else None
            facts = standing.of_deliveries(session, shown)
            return Page(rows, facts, older, behind.created_at if behind else None)

    def pages(self, wanted: DeliveryFilter, most: int, at_a_time: int = 500) -> Iterator[Page]:
        """Read the newest deliveries, at most ``most``, a page at a time: no transaction stays open."""
        before: int | None = None
        while most > 0:
            page = self.page(wanted, before, min(at_a_time, most))
            yield page
            most -= len(page.rows)
            before = page.older
            if before is None:
                return

    def count(self, wanted: DeliveryFilter) -> Found:
        """Count the deliveries, up to ``_COUNTED``, among as many candidates as a page reads."""
        with self._store.read() as session:
            ids, looked_to = _matching(session, wanted, _NEWEST, _COUNTED + 1)
        return Found(min(len(ids), _COUNTED), looked_to is not None or len(ids) > _COUNTED)

    def _catch_up(self) -> None:
        try:
            indexer.catch_up(self._store)
        except Unavailable:
            return  # events of the last second are found a second later


_SHOWN = sa.select(Delivery).options(
    orm.joinedload(Delivery.event),
    # Not with each row: a webhook's secrets are decrypted as often as its row is read.
    orm.selectinload(Delivery.webhook).joinedload(Webhook.location),
)


def _matching(
    session: orm.Session, wanted: DeliveryFilter, before: int, count: int
) -> tuple[list[int], int | None]:
    """Search ids, newest first. Returns also the last candidate, where that was not the last there is."""
    bottom, top = _bounds(session, wanted)
    matching: list[int] = []
    read = 0
    most = _CANDIDATES if wanted.name is None else _NAMED
    candidates = _candidates(session, wanted, min(before, top))
    conditions = conditions_of(session, wanted)
    step = _STEP
    while batch := list(itertools.islice(candidates, min(step, most - read))):
        step = min(2 * step, _STEP_MOST)
        inside = [id_ for id_ in batch if id_ >= bottom]
        matching += filtered(session, wanted, conditions, inside)
        read += len(batch)
        if len(matching) >= count or len(inside) < len(batch):
            return matching[:count], None
        if read >= most:
            return matching, batch[-1]
    return matching, None


def _bounds(session: orm.Session, wanted: DeliveryFilter) -> tuple[int, int]:
    """Return the ids between which the span of time lies. Ids follow time, unless the clock was set back."""
    bottom, top = 0, _NEWEST
    if wanted.since is not None:
        query = sa.select(Event.id).where(Event.accepted_at >= wanted.since).order_by(Event.accepted_at)
        first = session.scalar(query.limit(1))
        bottom = _delivery_at(session, first) if first else _NEWEST
    if wanted.until is not None:
        query = sa.select(Event.id).where(Event.accepted_at >= wanted.until).order_by(Event.accepted_at)
        next_ = session.scalar(query.limit(1))
        top = _delivery_at(session, next_) if next_ else _NEWEST
    return bottom, top


def _delivery_at(session: orm.Session, event_id: int) -> int:
    """Return the first delivery of an event or a later one."""
    query = (
        sa.select(Delivery.id).where(Delivery.event_id >= event_id).order_by(Delivery.event_id, Delivery.id)
    )
    return session.scalar(query.limit(1)) or _NEWEST


def _candidates(session: orm.Session, wanted: DeliveryFilter, before: int) -> Iterator[int]:
    """Yield ids below ``before``, newest first, from the index that leaves the fewest."""
    if wanted.call:
        return _of_events(session, _thread_events(session, thread_key(wanted.call), before), before)
    if wanted.number and wanted.name is None:
        return _of_events(session, _number_events(session, wanted.number, before), before)
    if wanted.webhook or wanted.state or wanted.location:
        return _of_streams(session, wanted, before)
    return _all(session, before)


def _all(session: orm.Session, before: int) -> Iterator[int]:
    step = _STEP
    while True:
        query = sa.select(Delivery.id).where(Delivery.id < before).order_by(Delivery.id.desc()).limit(step)
        batch = session.scalars(query).all()
        yield from batch
        if len(batch) < step:
            return
        before, step = batch[-1], min(2 * step, _STEP_MOST)


def _of_streams(session: orm.Session, wanted: DeliveryFilter, before: int) -> Iterator[int]:
    """Merge streams: each webhook and state has an index, which is read newest first."""
    webhooks = [wanted.webhook] if wanted.webhook else webhooks_of(session, wanted.location)
    streams = list(itertools.starmap(Stream, itertools.product(webhooks, wanted.states or STATES)))
    if len(streams) > _STREAMS:
        yield from _all(session, before)
        return
    kept: dict[Stream, list[int]] = {stream: [] for stream in streams}  # read, and not yielded yet
    more = set(streams)  # those that may go on below what was read of them
    while True:
        # One that has nearly all and others that have little are asked in turns, each for what it lacks.
        asked = [stream for stream in streams if stream in more and len(kept[stream]) < _LOW]
        each = max(_LOW, _ROWS // max(1, len(asked)))
        for stream, ids in zip(asked, _tops(session, asked, before, each), strict=True):
            kept[stream] = ids
            if len(ids) < each:
                more.discard(stream)
        # Below the last of a stream that may go on, the others may have more to come first.
        floor = max((kept[stream][-1] for stream in more), default=0)
        yield from sorted((id_ for ids in kept.values() for id_ in ids if id_ >= floor), reverse=True)
        if not floor:
            return
        kept = {stream: [id_ for id_ in ids if id_ < floor] for stream, ids in kept.items()}
        before = floor


def _tops(session: orm.Session, streams: list[Stream], before: int, each: int) -> list[list[int]]:
    """Read the newest ids below ``before`` of each stream, at most ``each``."""
    tops: list[list[int]] = [[] for _ in streams]
    sqlite = is_sqlite(session)
    for start in range(0, len(streams), _TOGETHER):
        some = streams[start : start + _TOGETHER]
        # Text: to make a statement of a hundred parts out of expressions takes longer than to run it.
        statement = sa.text(newest(enumerate(some, start), sqlite=sqlite))
        # All at once: asked for one by one, each of thousands of rows takes as long as a line of a page.
        found = session.execute(statement, {"before": before, "each": each}).all()
        for number, id_ in found:
            tops[number].append(id_)
    return [sorted(ids, reverse=True) for ids in tops]


def _of_events(session: orm.Session, events: Iterator[int], before: int) -> Iterator[int]:
    """Yield the deliveries of events, newest first: deliveries are made in the order of their events."""
    step = _STEP
    while batch := list(itertools.islice(events, step)):
        step = min(2 * step, _STEP_MOST)
        query = sa.select(Delivery.id).where(among(session, Delivery.event_id, batch))
        # Not by the database: asked for ids in order, it may walk all of them instead of those events'.
        yield from sorted((id_ for id_ in session.scalars(query).all() if id_ < before), reverse=True)


def _event_before(session: orm.Session, before: int) -> int:
    """Return the last event that has deliveries below ``before``."""
    if before >= _NEWEST:
        return _NEWEST
    query = sa.select(Delivery.event_id).where(Delivery.id <= before).order_by(Delivery.id.desc()).limit(1)
    return session.scalar(query) or 0


def _thread_events(session: orm.Session, key: str, before: int) -> Iterator[int]:
    last = _event_before(session, before)
    query = sa.select(Event.id).where(Event.thread_key == key, Event.id <= last).order_by(Event.id.desc())
    return iter(session.scalars(query.limit(_CANDIDATES + 1)).all())


def _number_events(session: orm.Session, number: str, before: int) -> Iterator[int]:
    last = _event_before(session, before)
    keys = numbers_that_end(session, number)
    streams = [_events_of(session, key, last, max(10, _STEP // len(keys))) for key in keys]
    merged = heapq.merge(*streams, reverse=True)
    return (event for event, _ in itertools.groupby(merged))


def _events_of(session: orm.Session, key: str, last: int, step: int) -> Iterator[int]:
    while True:
        query = sa.select(EventNumber.event_id).where(EventNumber.number == key, EventNumber.event_id <= last)
        batch = session.scalars(query.order_by(EventNumber.event_id.desc()).limit(step)).all()
        yield from batch
        if len(batch) < step:
            return
        last, step = batch[-1] - 1, min(2 * step, _STEP_MOST)
