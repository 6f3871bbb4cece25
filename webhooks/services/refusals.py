"""Refused requests of phone systems: kept beside the request's way, bounded, and all of them counted."""

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from webhooks.db.models import Refusal, RefusalCount
from webhooks.db.models.refusals import NO_LOCATION
from webhooks.db.models.totals import SLOT_MS
from webhooks.db.raw import RawConnection
from webhooks.db.store import Store, now_ms
from webhooks.errors import Unavailable
from webhooks.events.first_use import FirstUse
from webhooks.services.lookup import newest

KEPT: Final = 200  # of a location, and of those without one
_A_FLUSH: Final = 10  # different ones of a location that are kept of a second …
_A_FLUSH_IN_ALL: Final = 100  # … and of all locations; the rest is counted
_FLUSH_S: Final = 1.0
_DAY_MS: Final = 86_400_000

_INSERT: Final = """
    INSERT INTO refusal (location_id, at, door, status, reason, caller, body, size, count)
    VALUES (:location_id, :at, :door, :http_status, :reason, :caller, :body, :size, :count)
"""
_COUNT: Final = """
    INSERT INTO refusal_count (location_id, slot, count, with_token, last_at)
    VALUES (:location_id, :slot, :count, :with_token, :last_at)
    ON CONFLICT (location_id, slot) DO UPDATE SET count = refusal_count.count + :count,
    with_token = refusal_count.with_token + :with_token, last_at = :last_at
"""
_TRIM: Final = f"""
    DELETE FROM refusal WHERE location_id = :location_id AND id <= (
        SELECT id FROM refusal WHERE location_id = :location_id ORDER BY id DESC LIMIT 1 OFFSET {KEPT})
"""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that was refused, cleaned and without tokens; the fields of ``Refusal``."""

    location_id: int
    with_token: bool
    door: str
    http_status: int
    reason: str
    caller: str
    body: str
    size: int


@dataclass(slots=True)
class _Counted:
    count: int = 0
    with_token: int = 0
    last_at: int = 0

    def add(self, count: int, with_token: int, at_ms: int) -> None:
        self.count += count
        self.with_token += with_token
        self.last_at = max(self.last_at, at_ms)


@dataclass(slots=True)
class Buffer:
    """What was refused since the last flush: the first of each second as they came, alike ones as one."""

    kept: dict[Refused, _Counted] = field(default_factory=dict)
    counts: dict[tuple[int, int], _Counted] = field(default_factory=dict)  # by location and slot

    def add(self, refused: Refused, at_ms: int) -> None:
        """Count a refusal, and keep it where there is room."""
        self.count(refused.location_id, at_ms // SLOT_MS, _Counted(1, int(refused.with_token), at_ms))
        alike = self.kept.get(refused)
        if alike is None:
            mine = sum(one.location_id == refused.location_id for one in self.kept)
            if mine >= _A_FLUSH or len(self.kept) >= _A_FLUSH_IN_ALL:
                return
            alike = self.kept[refused] = _Counted()
        alike.add(1, 0, at_ms)

    def count(self, location_id: int, slot: int, counted: _Counted) -> None:
        """Add counts of one location and quarter of an hour."""
        sums = self.counts.setdefault((location_id, slot), _Counted())
        sums.add(counted.count, counted.with_token, counted.last_at)


@dataclass(frozen=True, slots=True)
class RefusedSince:
    """How many requests were refused since a moment, and the last that is kept."""

    count: int
    last: Refusal | None


class Refusals:
    """Refusals of all locations. Its thread starts with the first one, so after any fork.

    What a process noted in its last second is lost when it is killed: a refusal is no event.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._buffer = Buffer()
        self._noted = threading.Event()
        self._start = FirstUse(self._start_thread)

    # --- noting ---

    def note(self, refused: Refused) -> None:
        """Note a refusal. No database is touched: under attack it costs a dictionary's entry."""
        with self._lock:
            self._buffer.add(refused, now_ms())
        self._start()
        self._noted.set()

    def flush(self) -> None:
        """Write down what was noted.

        Raises:
            Unavailable: the database cannot be written now. The counts are kept for the next flush.
        """
        with self._lock:
            taken, self._buffer = self._buffer, Buffer()
        if not taken.counts:
            return
        try:
            with self._store.direct() as direct:
                _write(direct, taken)
        except Unavailable:
            with self._lock:
                for (location_id, slot), counted in taken.counts.items():
                    self._buffer.count(location_id, slot, counted)
            raise

    def _start_thread(self) -> None:
        threading.Thread(target=self._run, name="refusals", daemon=True).start()

    def _run(self) -> None:
        while True:
            self._noted.wait()
            time.sleep(_FLUSH_S)
            self._noted.clear()
            try:
                self.flush()
            except Unavailable as error:
                self._noted.set()
                log.warning("refusals not written yet", extra={"reason": error})
            except Exception:
                log.exception("refusals lost")

    # --- reading ---

    def of(self, location_id: int | None, limit: int = KEPT) -> Sequence[Refusal]:
        """Read a location's refusals, newest first; None is for those without a token that a location has."""
        query = sa.select(Refusal).where(Refusal.location_id == (location_id or NO_LOCATION))
        with self._store.read() as session:
            return session.scalars(query.order_by(Refusal.id.desc()).limit(limit)).all()

    def page(
        self, location_id: int | None, before: int | None, count: int
    ) -> tuple[Sequence[Refusal], int | None]:
        """Read up to ``count`` of these below ``before``, newest first; also the ``before`` to go on with."""
        query = sa.select(Refusal).where(Refusal.location_id == (location_id or NO_LOCATION))
        with self._store.read() as session:
            return newest(session, query, Refusal.id, before, count)

    def since(self, location_id: int | None, moment: datetime) -> RefusedSince:
        """Count a location's refusals since a moment, to the quarter of an hour; read the last one."""
        slot = int(moment.timestamp() * 1000) // SLOT_MS
        query = sa.select(sa.func.sum(RefusalCount.count)).where(
            RefusalCount.location_id == (location_id or NO_LOCATION), RefusalCount.slot >= slot
        )
        with self._store.read() as session:
            count = int(session.scalar(query) or 0)
        last = self.of(location_id, 1)
        return RefusedSince(count, last[0] if last and last[0].at >= moment else None)

    def forget_older_than(self, days: int) -> None:
        """Delete refusals and their counts past the retention."""
        before_ms = now_ms() - days * _DAY_MS
        with self._store.direct(wait=None) as direct:
            direct.run("DELETE FROM refusal WHERE at < :before", {"before": before_ms})
            direct.run("DELETE FROM refusal_count WHERE slot < :slot", {"slot": before_ms // SLOT_MS})


def _write(direct: RawConnection, taken: Buffer) -> None:
    if taken.kept:
        direct.many(
            _INSERT,
            [
                {
                    "location_id": one.location_id,
                    "at": alike.last_at,
                    "door": one.door,
                    "http_status": one.http_status,
                    "reason": one.reason,
                    "caller": one.caller,
                    "body": one.body,
                    "size": one.size,
                    "count": alike.count,
                }
                for one, alike in taken.kept.items()
            ],
        )
    # In one order in all processes, or PostgreSQL would find them waiting for each other.
    for (location_id, slot), counted in sorted(taken.counts.items(), key=lambda item: item[0]):
        sums = {"count": counted.count, "with_token": counted.with_token, "last_at": counted.last_at}
        direct.run(_COUNT, {"location_id": location_id, "slot": slot, **sums})
    for location_id in sorted({one.location_id for one in taken.kept}):
        direct.run(_TRIM, {"location_id": location_id})
