"""Erasing a call or a number: long work that a person started, so a row with progress that outlives us.

Housekeeping does it a batch at a time, or whoever calls ``step``. What is erased is gone for good.
"""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import orm

from webhooks import erasure
from webhooks.changes import record
from webhooks.db import Store
from webhooks.erasure import BATCH, Counts
from webhooks.errors import Conflict, Invalid, NotFound
from webhooks.events import digest
from webhooks.events.body import thread_key
from webhooks.events.numbers import number_key
from webhooks.media.files import Folder
from webhooks.models import Erasure, Event, EventNumber, InboxMessage
from webhooks.search import numbers_that_end
from webhooks.settings import Settings

_COUNTED: Final = 100_000

log = logging.getLogger(__name__)


class Erasures:
    """Raises NotFound for an unknown id, Invalid for what cannot be erased, Busy as the Store does."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._store = store
        self._folder = Folder(settings.data)

    def begin(self, *, thread_id: str | None = None, number: str | None = None) -> Erasure:
        """Note an erasure to be done, of one call or of all that one number took part in.

        Once something is erased, test inboxes are emptied: what they were sent is not told apart by calls.
        """
        if (thread_id is None) == (number is None):
            raise Invalid("Give either a call or a number.")
        kind, key = (
            ("call", thread_key(thread_id)) if thread_id is not None else ("number", number_key(number or ""))
        )
        if not key:
            raise Invalid(f"The {kind} is empty.", kind)
        with self._store.write() as session:
            row = Erasure(
                kind=kind, key=key, state="running", total=_count(session, kind, key), events=0, deliveries=0,
                attempts=0, media=0, created_at=datetime.now(UTC),
            )  # fmt: skip
            session.add(row)
            session.flush()
            # Not the number again: it was to be forgotten.
            record(session.connection(), f"erasure {row.id}", f"begun: all events of a {kind}")
            return row

    def get(self, erasure_id: int) -> Erasure:
        with self._store.read() as session:
            return _found(session.get(Erasure, erasure_id), erasure_id)

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
            row = _found(session.get(Erasure, erasure_id), erasure_id)
            if row.state != "running":
                raise Conflict(f"Erasure {erasure_id} is {row.state} already.")
            _end(session, row, "cancelled")
            return row

    def step(self, erasure_id: int) -> Erasure:
        """Erase one batch; the answer shows how far it is. Two processes may take turns at one."""
        row = self.get(erasure_id)
        if row.state != "running" or row.key is None:
            return row
        if row.kind == "number" and digest.behind(self._store):
            digest.step(self._store)  # the number's index has to know all events first
            return row
        with self._store.read() as session:
            ids = session.scalars(_events(row.kind, row.key).limit(BATCH)).all()
        gone = erasure.remove_batch(self._store, self._folder, ids) if ids else Counts()
        with self._store.write(wait=None) as session:
            lock: Any = {} if self._store.sqlite else {"with_for_update": True}
            row = _found(session.get(Erasure, erasure_id, **lock), erasure_id)
            if gone.events and not row.events:
                session.execute(sa.delete(InboxMessage))
            row.events += gone.events
            row.deliveries += gone.deliveries
            row.attempts += gone.attempts
            row.media += gone.media
            row.total = max(row.total, row.events)
            if not ids and row.state == "running":
                _end(session, row, "done")
                log.info("erased all events of a %s: %d, with %d recordings", row.kind, row.events, row.media)
            return row

    def matching(self, *, call: str | None = None, end: str | None = None) -> list[tuple[str, int]]:
        """What could be erased: (call or number, its events), the counts up to 100,000.

        ``end`` is a number's end; at most 20 numbers that end so are told.
        """
        digest.catch_up(self._store)
        with self._store.read() as session:
            if call:
                return [(call, _count(session, "call", thread_key(call)))]
            keys = numbers_that_end(session, end or "")
            return [(key[::-1], _count(session, "number", key)) for key in keys]


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


def _found(row: Erasure | None, erasure_id: int) -> Erasure:
    if row is None:
        raise NotFound(f"There is no erasure {erasure_id}.")
    return row
