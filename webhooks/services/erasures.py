"""Erasing a call or a number: long work that a person started, so a row with progress that outlives us.

Housekeeping does it a batch at a time, or whoever calls ``step``. What is erased is gone for good.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import orm

from webhooks.audit import record
from webhooks.db.models import Erasure, Event, EventNumber, InboxMessage
from webhooks.db.store import Store
from webhooks.errors import Conflict, Invalid, NotFound
from webhooks.events import indexer
from webhooks.events.phone_numbers import numbers_in, spelt
from webhooks.events.schema import thread_key
from webhooks.media.storage import Folder
from webhooks.retention import removal
from webhooks.retention.removal import BATCH, Counts
from webhooks.services.delivery_log import keys_that_start, numbers_that_end
from webhooks.services.lookup import row_or_404
from webhooks.settings import Settings

_COUNTED: Final = 100_000
_ALIKE: Final = 7  # digits at their end that make two numbers alike: +49 30 1234567 and 030 1234567
_LOOKED_AT: Final = 100  # events whose spellings are told
_SPELLINGS: Final = 10
_UNKNOWN: Final = {
    "call": "No event has this thread_id. It has to be given whole, as the page of one of the call's events "
    "shows it.",
    "number": "No event has this number. It has to be given whole, in any spelling.",
}

log = logging.getLogger(__name__)


class Erasures:
    """Raises NotFound for an unknown id and for what no event has, Invalid for what cannot be erased, Busy
    as the Store does."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._store = store
        self._folder = Folder(settings.data)

    def begin(self, *, thread_id: str | None = None, number: str | None = None) -> Erasure:
        """Note an erasure to be done, of one call or of all that one number took part in.

        Once something is erased, test inboxes are emptied: what they were sent is not told apart by calls.
        """
        if (thread_id is None) == (number is None):
            raise Invalid("Give either a call or a number.")
        kind, key = ("call", _call(thread_id)) if thread_id is not None else ("number", _number(number or ""))
        if kind == "number":
            indexer.catch_up(self._store)
        known = not indexer.behind(self._store)
        with self._store.write() as session:
            total = _count(session, kind, key)
            if not total and (known or kind == "call"):
                raise NotFound(_UNKNOWN[kind])
            row = Erasure(
                kind=kind, key=key, state="running", total=total, events=0, deliveries=0, attempts=0, media=0,
                created_at=datetime.now(UTC),
            )  # fmt: skip
            session.add(row)
            session.flush()
            # Not the number again: it was to be forgotten.
            record(session.connection(), f"erasure {row.id}", f"begun: all events of a {kind}")
            return row

    def get(self, erasure_id: int) -> Erasure:
        with self._store.read() as session:
            return row_or_404(session.get(Erasure, erasure_id), "erasure", erasure_id)

    def latest(self, count: int = 10) -> Sequence[Erasure]:
        """The newest erasures."""
        with self._store.read() as session:
            return session.scalars(sa.select(Erasure).order_by(Erasure.id.desc()).limit(count)).all()

    def running(self) -> Sequence[int]:
        """Those that have more to do."""
        with self._store.read() as session:
            return session.scalars(sa.select(Erasure.id).where(Erasure.state == "running")).all()

    def cancel(self, erasure_id: int) -> Erasure:
        """Stop it; what is erased is gone.

        Raises:
            Conflict: it has ended.
        """
        with self._store.write() as session:
            row = row_or_404(session.get(Erasure, erasure_id), "erasure", erasure_id)
            if row.state != "running":
                raise Conflict(f"Erasure {erasure_id} is {row.state} already.")
            _end(session, row, "cancelled")
            return row

    def step(self, erasure_id: int) -> Erasure:
        """Erase one batch; the answer shows how far it is. Two processes may take turns at one."""
        row = self.get(erasure_id)
        if row.state != "running" or row.key is None:
            return row
        if row.kind == "number" and indexer.behind(self._store):
            _ = indexer.step(self._store) or indexer.renumber(
                self._store
            )  # the number's index has to know all events first
            return row
        with self._store.read() as session:
            ids = session.scalars(_events(row.kind, row.key).limit(BATCH)).all()
        gone = removal.remove_batch(self._store, self._folder, ids) if ids else Counts()
        with self._store.write(wait=None) as session:
            lock: Any = {} if self._store.sqlite else {"with_for_update": True}
            row = row_or_404(session.get(Erasure, erasure_id, **lock), "erasure", erasure_id)
            if gone.events and not row.events:
                session.execute(sa.delete(InboxMessage))
            row.events += gone.events
            row.deliveries += gone.deliveries
            row.attempts += gone.attempts
            row.media += gone.media
            row.total = max(row.total, row.events)
            if not ids and row.state == "running":
                _end(session, row, "done")
                log.info(
                    "erasure finished",
                    extra={
                        "erasure": row.id,
                        "kind": row.kind,
                        "events": row.events,
                        "recordings": row.media,
                    },
                )
            return row

    def look(self, *, thread_id: str | None = None, number: str | None = None) -> list["Match"]:
        """What an erasure of a call, or of a number as it is given, would take, and what it would leave
        though it ends alike. What would be taken comes first, if there is anything."""
        if thread_id is not None:
            key = _call(thread_id)
            with self._store.read() as session:
                count = _count(session, "call", key)
            return [Match(thread_id, count, True)] if count else []
        key = _number(number or "")
        indexer.catch_up(self._store)
        with self._store.read() as session:
            alike = dict.fromkeys([key, *numbers_that_end(session, number or "")])
            alike |= dict.fromkeys(keys_that_start(session, _end_of(key)))
            found = [_match(session, one, one == key) for one in alike]
        return [match for match in found if match.events]

    @property
    def knows_all(self) -> bool:
        """Whether all events' numbers are known: after an upgrade the index may be made anew for a while."""
        return not indexer.behind(self._store)


@dataclass(frozen=True, slots=True)
class Match:
    """A call or a number, and how many events it has, counted up to 100,000. ``taken``: it is the one that
    was given. ``spellings`` are those of the newest events, at most ten."""

    what: str
    events: int
    taken: bool
    spellings: Sequence[str] = ()

    @property
    def many(self) -> str:
        """The number of events in words."""
        more = " or more" if self.events == _COUNTED else ""
        return f"{self.events:,} event{'s' if self.events != 1 else ''}{more}"


def _call(thread_id: str) -> str:
    if not thread_id.strip():
        raise Invalid("The call is empty.", "call")
    return thread_key(thread_id)


def _number(text: str) -> str:
    keys = numbers_in(text)
    if not keys:
        raise Invalid("The number is empty.", "number")
    if len(keys) > 1:
        raise Invalid(f"These are {len(keys)} numbers; give one at a time.", "number")
    return keys[0]


def _end_of(key: str) -> str:
    """What another number's key starts with that ends alike; a short one's 0 in front does not count."""
    return key[:_ALIKE] if len(key) > _ALIKE else key.rstrip("0") or key


def _match(session: orm.Session, key: str, taken: bool) -> Match:
    newest = _events("number", key).order_by(None).order_by(EventNumber.event_id.desc()).limit(_LOOKED_AT)
    bodies = session.scalars(sa.select(Event.body).where(Event.id.in_(newest)))
    spellings = {text: None for body in bodies for text, found in spelt(body) if found == key}
    return Match(key[::-1], _count(session, "number", key), taken, list(spellings)[:_SPELLINGS])


def _events(kind: str, key: str) -> sa.Select[int]:
    if kind == "call":
        return sa.select(Event.id).where(Event.thread_key == key).order_by(Event.id)
    query = sa.select(EventNumber.event_id).where(EventNumber.number == key)
    return query.order_by(EventNumber.event_id)


def _count(session: orm.Session, kind: str, key: str) -> int:
    counted = sa.select(sa.func.count()).select_from(_events(kind, key).limit(_COUNTED).subquery())
    return session.scalar(counted) or 0


def _end(session: orm.Session, row: Erasure, state: str) -> None:
    row.state, row.key, row.finished_at = state, None, datetime.now(UTC)
    said = f"{state}: {row.events} events with {row.attempts} attempts and {row.media} recordings are gone"
    record(session.connection(), f"erasure {row.id}", said)
