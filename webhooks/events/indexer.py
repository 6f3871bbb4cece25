"""Asynchronous index of events: their phone numbers, and counts by location, so that ingest stays fast.

Housekeeping follows a second behind, and a search first catches up itself. Ids are given in the order of the
commits (``events/intake.py``), so no event is passed over.

When numbers are to be read in another way than before, a migration empties their index and sets
``RENUMBER_BELOW``: events below it are read once more for their numbers, the newest first.
"""

import functools
import logging
from collections.abc import Sequence
from typing import Final

from webhooks.catalogue import wire_id
from webhooks.db.meta import INDEXED_EVENT, RENUMBER_BELOW
from webhooks.db.models.totals import SLOT_MS
from webhooks.db.raw import RawConnection
from webhooks.db.row_errors import reason
from webhooks.db.store import Store, now_ms
from webhooks.events.phone_numbers import numbers_of

BATCH: Final = 100  # two milliseconds of the writers' lock
_SEARCH_WAIT_SECONDS: Final = 0.5
_SLOTS_A_DAY: Final = 96
_NEXT: Final = f"""
    SELECT id, location_id, accepted_at, matched, origin, body FROM event WHERE id > :after
    ORDER BY id LIMIT {BATCH}
"""
_NUMBER: Final = "INSERT INTO event_number (number, event_id) VALUES (:number, :event) ON CONFLICT DO NOTHING"
_HEARD: Final = """
    INSERT INTO heard (location_id, slot, events, unmatched, last_at)
    VALUES (:location_id, :slot, :events, :unmatched, :at)
    ON CONFLICT (location_id, slot) DO UPDATE SET events = heard.events + excluded.events,
        unmatched = heard.unmatched + excluded.unmatched, last_at = excluded.last_at
"""
_NEXT_TO_RENUMBER: Final = f"SELECT id, body FROM event WHERE id < :below ORDER BY id DESC LIMIT {BATCH}"
_DROP: Final = (
    "DELETE FROM traffic WHERE slot < :slot",
    "DELETE FROM heard WHERE slot < :slot",
)

log = logging.getLogger(__name__)


def is_behind(store: Store) -> bool:
    """Whether there are events that are not indexed yet."""
    with store.direct_read() as direct:
        indexed_id = INDEXED_EVENT.get(direct)
        newest = direct.row("SELECT id FROM event ORDER BY id DESC LIMIT 1")
        renumber_below = RENUMBER_BELOW.get(direct)
    if indexed_id is not None and newest is not None and newest[0] > indexed_id:
        return True
    return bool(renumber_below)


def index_batch(store: Store, wait: float | None = None) -> int:
    """Index the next events. Returns how many those were.

    ``wait`` is how many seconds to wait for the write lock, None for ever.

    Raises:
        Unavailable: as Store.direct does.
    """
    _read_ahead(store)
    with store.direct(wait=wait) as direct:
        indexed_id = INDEXED_EVENT.get_locked(direct)
        assert indexed_id is not None, "a migration writes it"
        events = direct.rows(_NEXT, {"after": indexed_id})
        if not events:
            return 0
        direct.each(
            events,
            lambda some: _index(direct, some),
            _refused,
        )
        INDEXED_EVENT.set(direct, events[-1][0])
        return len(events)


def renumber_batch(store: Store, wait: float | None = None) -> int:
    """Read some events once more for their numbers. Returns how many those were, 0 at the end.

    Raises:
        Unavailable: as Store.direct does.
    """
    with store.direct(wait=wait) as direct:
        below_id = RENUMBER_BELOW.get_locked(direct)
        if not below_id:
            return 0
        events = direct.rows(_NEXT_TO_RENUMBER, {"below": below_id})
        direct.each(
            events,
            lambda some: _index_numbers(direct, some),
            _refused,
        )
        RENUMBER_BELOW.set(direct, events[-1][0] if events else 0)
        return len(events)


def catch_up(store: Store, most: int = 20) -> None:
    """Index what came just now, for a search; at most ``most`` batches."""
    while most > 0 and is_behind(store) and _index_or_renumber(store):
        most -= 1


def _index_or_renumber(store: Store) -> bool:
    wait = _SEARCH_WAIT_SECONDS
    return bool(index_batch(store, wait=wait) or renumber_batch(store, wait=wait))


def drop_older_than(store: Store, days: int) -> None:
    """Delete counts that are older than so many days."""
    slot = now_ms() // SLOT_MS - days * _SLOTS_A_DAY
    with store.direct(wait=None) as direct:
        for statement in _DROP:
            direct.run(statement, {"slot": slot})


def _refused(event: tuple[object, ...], error: Exception) -> None:
    log.error("event not indexed", extra={"event": wire_id(str(event[-1])), "reason": reason(error)})


def _index(direct: RawConnection, events: Sequence[tuple[object, ...]]) -> None:
    _index_numbers(direct, [(event[0], event[-1]) for event in events])
    counts: dict[tuple[object, int], list[int]] = {}
    for _id, location_id, accepted_at, matched, origin, _body in events:
        if origin == "pbx":
            at = int(str(accepted_at))
            count = counts.setdefault((location_id, at // SLOT_MS), [0, 0, 0])
            count[:] = count[0] + 1, count[1] + (not matched), at
    if counts:
        names = ("events", "unmatched", "at")
        heard = [
            {"location_id": location_id, "slot": slot, **dict(zip(names, count, strict=True))}
            for (location_id, slot), count in counts.items()
        ]
        direct.many(_HEARD, heard)


def _index_numbers(direct: RawConnection, events: Sequence[tuple[object, ...]]) -> None:
    numbers = [{"number": key, "event": event_id} for event_id, body in events for key in _numbers(str(body))]
    if numbers:
        direct.many(_NUMBER, numbers)


def _read_ahead(store: Store) -> None:
    """Find the numbers of the next events before the lock is taken: that takes longer than to write them."""
    with store.direct_read() as direct:
        indexed_id = INDEXED_EVENT.get(direct)
        events = [] if indexed_id is None else direct.rows(_NEXT, {"after": indexed_id})
    for event in events:
        _numbers(event[-1])


@functools.lru_cache(maxsize=2 * BATCH)
def _numbers(body: str) -> list[str]:
    return sorted(numbers_of(body))
