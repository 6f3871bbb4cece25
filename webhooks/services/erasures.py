"""Erasures: removing all events of a call or a number for good."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy import orm

from webhooks.audit import record
from webhooks.db.models import Erasure, Event, EventNumber, InboxMessage, Refusal
from webhooks.db.store import Store
from webhooks.errors import Invalid, NotFound
from webhooks.events import indexer
from webhooks.events.phone_numbers import numbers_in, spelt
from webhooks.events.schema import thread_key
from webhooks.media.storage import Folder
from webhooks.retention import removal
from webhooks.retention.removal import BATCH, Counts
from webhooks.services.long_jobs import LongJobs, Step
from webhooks.services.number_search import keys_that_start, numbers_that_end
from webhooks.settings import Settings

_COUNTED: Final = 100_000
_ALIKE: Final = 7  # digits at the end, equal in +49 30 1234567 and 030 1234567
_READ_FOR_SPELLINGS: Final = 100  # events
_SPELLINGS: Final = 10
_UNKNOWN: Final = {
    "call": "No event has this thread_id. It has to be given whole, as the page of one of the call's events "
    "shows it.",
    "number": "No event has this number. It has to be given whole, in any spelling.",
}

log = logging.getLogger(__name__)


class Erasures(LongJobs[Erasure]):
    """Erasures that people begin.

    Raises NotFound for an unknown id and for what no event has, Invalid for what cannot be erased,
    Unavailable as the Store does.
    """

    noun = "erasure"
    moves = ("cancel",)
    _model = Erasure

    def __init__(self, settings: Settings, store: Store) -> None:
        super().__init__(store)
        self._folder = Folder(settings.data)

    def begin(self, *, thread_id: str | None = None, number: str | None = None) -> Erasure:
        """Begin the erasure of one call, or of all events that one number took part in.

        With the first events that go, all test inboxes are emptied: their messages are of unknown calls.
        """
        if (thread_id is None) == (number is None):
            raise Invalid("Give either a call or a number.")
        kind, key = ("call", _call(thread_id)) if thread_id is not None else ("number", _number(number or ""))
        if kind == "number":
            indexer.catch_up(self._store)
        indexed = not indexer.is_behind(self._store)
        with self._store.write() as session:
            total = _count(session, kind, key)
            if not total and (indexed or kind == "call"):
                raise NotFound(_UNKNOWN[kind])
            row = Erasure(
                kind=kind, key=key, state="running", total=total, events=0, deliveries=0, attempts=0, media=0,
                created_at=datetime.now(UTC),
            )  # fmt: skip
            session.add(row)
            session.flush()
            # The number is left out: it is to be forgotten.
            record(session.connection(), f"erasure {row.id}", f"begun: all events of a {kind}")
            return row

    def step(self, job_id: int) -> Step[Erasure]:
        """Erase one batch of events. It waits where all of them are on their way to a receiver."""
        job = self.get(job_id)
        if job.state != "running" or job.key is None:
            return Step(job)
        if job.kind == "number" and indexer.is_behind(self._store):
            # The index of numbers has to have all events first.
            _ = indexer.index_batch(self._store) or indexer.renumber_batch(self._store)
            return Step(job)
        with self._store.read() as session:
            ids = session.scalars(_events(job.kind, job.key).limit(BATCH)).all()
        gone = removal.remove_batch(self._store, self._folder, ids) if ids else Counts()
        with self._store.write(wait=None) as session:
            job = self._locked(session, job_id)
            if gone.events and not job.events:
                session.execute(sa.delete(InboxMessage))
            _add(job, gone)
            if not ids and job.state == "running":
                job.state, job.finished_at = "done", datetime.now(UTC)
                session.execute(sa.delete(Refusal))
                self._record_move(session, job, "done")
                counts = {"events": job.events, "recordings": job.media}
                log.info("erasure finished", extra={"erasure": job.id, "kind": job.kind, **counts})
            return Step(job, waiting=bool(ids) and not gone.events)

    def _record_move(self, session: orm.Session, job: Erasure, move: str) -> None:
        """Forget whose events they were, and write the end to the audit log."""
        job.key = None
        gone = f"{job.events} events with {job.attempts} attempts and {job.media} recordings are gone"
        record(session.connection(), f"erasure {job.id}", f"{job.state}: {gone}")

    def preview(self, *, thread_id: str | None = None, number: str | None = None) -> list["Match"]:
        """Read what an erasure of a call or a number would take, and numbers that end alike and would stay.

        What would be taken comes first, if there is anything.
        """
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
            matches = [_match(session, other, other == key) for other in alike]
        return [match for match in matches if match.events]

    @property
    def all_indexed(self) -> bool:
        """Whether all events' numbers are indexed. An upgrade may have the index made anew for a while."""
        return not indexer.is_behind(self._store)


@dataclass(frozen=True, slots=True)
class Match:
    """A call or a number, and how many events it has, counted up to 100,000.

    ``taken``: it is what was given, and would be erased. ``spellings`` are at most ten of the newest events.
    """

    what: str
    events: int
    taken: bool
    spellings: Sequence[str] = ()

    @property
    def many(self) -> str:
        """The number of events, in words."""
        more = " or more" if self.events == _COUNTED else ""
        return f"{self.events:,} event{'s' if self.events != 1 else ''}{more}"


def _add(job: Erasure, gone: Counts) -> None:
    job.events += gone.events
    job.deliveries += gone.deliveries
    job.attempts += gone.attempts
    job.media += gone.media
    job.total = max(job.total, job.events)


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
    """Return how the keys of numbers that end alike start. A short number's 0 in front is left out."""
    return key[:_ALIKE] if len(key) > _ALIKE else key.rstrip("0") or key


def _match(session: orm.Session, key: str, taken: bool) -> Match:
    newest = (
        _events("number", key).order_by(None).order_by(EventNumber.event_id.desc()).limit(_READ_FOR_SPELLINGS)
    )
    bodies = session.scalars(sa.select(Event.body).where(Event.id.in_(newest)))
    spellings = {text: None for body in bodies for text, other in spelt(body) if other == key}
    return Match(key[::-1], _count(session, "number", key), taken, list(spellings)[:_SPELLINGS])


def _events(kind: str, key: str) -> sa.Select[int]:
    if kind == "call":
        return sa.select(Event.id).where(Event.thread_key == key).order_by(Event.id)
    query = sa.select(EventNumber.event_id).where(EventNumber.number == key)
    return query.order_by(EventNumber.event_id)


def _count(session: orm.Session, kind: str, key: str) -> int:
    counted = sa.select(sa.func.count()).select_from(_events(kind, key).limit(_COUNTED).subquery())
    return session.scalar(counted) or 0
