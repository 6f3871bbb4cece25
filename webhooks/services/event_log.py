"""The list of events: those that meet a filter, newest first, as receivers get them.

As in the delivery log, a page reads its candidates in bounded steps: from an index by call, or all. One that
has read enough says how far it came, and the next goes on from there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import sqlalchemy as sa
from pydantic import Field, model_validator
from sqlalchemy import orm

from webhooks.catalogue import CALL_STATUSES, EVENT_TYPES
from webhooks.db.models import Event, Media
from webhooks.db.store import Store
from webhooks.errors import Invalid
from webhooks.events.schema import thread_key
from webhooks.services.lookup import live_location
from webhooks.services.parsing import Input, Moment, one_of
from webhooks.services.recordings import Recordings

_STEP: Final = 500
_CANDIDATES: Final = 3_000  # that one page reads at most
_NEWEST: Final = 1 << 62


class EventFilter(Input):
    """A filter of events; None leaves a field open.

    ``location`` is a name, ``thread_id`` a whole one; ``since`` ≤ accepted < ``until``.
    """

    type: Annotated[str, one_of(EVENT_TYPES)] | None = Field(default=None, title="Event")
    status: Annotated[str, one_of(CALL_STATUSES)] | None = Field(default=None, title="Call status")
    thread_id: str | None = Field(default=None, title="Call")
    location: str | None = Field(default=None, title="Location")
    since: Moment | None = Field(default=None, title="Accepted since")
    until: Moment | None = Field(default=None, title="Accepted until")

    @model_validator(mode="after")
    def _ends_after_its_start(self) -> "EventFilter":
        if self.since and self.until and self.since >= self.until:
            raise Invalid("The end of the span has to be after its start.", "until")
        return self


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events as JSON texts; ``older`` is the cursor to go on with, None at the end."""

    bodies: Sequence[str]
    older: int | None


class EventLog:
    """Raises ReadFailed where the database cannot be read, NotFound for an unknown location."""

    def __init__(self, store: Store, recordings: Recordings) -> None:
        self._store, self._recordings = store, recordings

    def page(self, wanted: EventFilter, before: int | None, count: int) -> EventPage:
        """Read events with ids below ``before``, newest first; not those that wait for recordings."""
        with self._store.read() as session:
            place = live_location(session, wanted.location).id if wanted.location is not None else None
            ids, older = _matching(session, wanted, place, before or _NEWEST, count)
            rows = session.scalars(sa.select(Event).where(Event.id.in_(ids)).order_by(Event.id.desc())).all()
        return EventPage(self._recordings.payloads(rows), older)


def _matching(
    session: orm.Session, wanted: EventFilter, place: int | None, before: int, count: int
) -> tuple[list[int], int | None]:
    """Search ids, newest first. Returns also the cursor to go on with."""
    bottom, top = _bounds(session, wanted)
    before = min(before, top)
    candidates = _candidates(wanted, place, bottom)
    found: list[int] = []
    for _ in range(_CANDIDATES // _STEP):
        rows = session.execute(candidates, {"before": before}).all()
        found += [id_ for id_, meets in rows if meets]
        if len(found) > count:
            return found[:count], found[count - 1]
        if len(rows) < _STEP:
            return found, None
        before = rows[-1][0]
    return found, before


def _candidates(wanted: EventFilter, place: int | None, bottom: int) -> sa.Executable:
    """Select the next ids below ``:before``, and whether each meets the whole filter."""
    waiting = sa.and_(Media.event_id == Event.id, Media.state == "waiting")
    query = (
        sa.select(Event.id, _meets(wanted, place).label("meets"))
        .outerjoin(Media, waiting)
        .where(Event.id < sa.bindparam("before"), Event.id >= bottom)
    )
    if wanted.thread_id is not None:
        query = query.where(Event.thread_key == thread_key(wanted.thread_id))
    return query.order_by(Event.id.desc()).limit(_STEP)


def _meets(wanted: EventFilter, place: int | None) -> sa.ColumnElement[bool]:
    fixed = ((Event.type, wanted.type), (Event.subtype, wanted.status), (Event.location_id, place))
    conditions = [column == value for column, value in fixed if value is not None]
    if wanted.since is not None:
        conditions.append(Event.accepted_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(Event.accepted_at < wanted.until)
    return sa.and_(Media.id.is_(None), *conditions)


def _bounds(session: orm.Session, wanted: EventFilter) -> tuple[int, int]:
    """Return the ids between which the span of time lies. Ids follow time, unless the clock was set back."""
    return (
        0 if wanted.since is None else _first_since(session, wanted.since),
        _NEWEST if wanted.until is None else _first_since(session, wanted.until),
    )


def _first_since(session: orm.Session, moment: Any) -> int:
    query = sa.select(Event.id).where(Event.accepted_at >= moment).order_by(Event.accepted_at).limit(1)
    return session.scalar(query) or _NEWEST
