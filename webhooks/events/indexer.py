"""What pages want to know of events, gathered behind the hook's back: who was in a call, who was heard when.

The hook writes an event and its deliveries and no more. Housekeeping follows a second behind, and a search
first catches up itself. Ids are given in the order of the commits (events/intake), so none is passed over.

Where numbers are told apart in another way than before, a migration empties their index and sets
``renumber_below``: events below it are looked through once more, the newest first, for their numbers alone.
"""

import logging
from collections.abc import Sequence
from typing import Final

from webhooks.catalogue import wire_id
from webhooks.db.raw import RawConnection
from webhooks.db.row_errors import reason
from webhooks.db.store import Store, now_ms
from webhooks.events.phone_numbers import numbers_of
from webhooks.outbox.attempt_stats import SLOT_MS

BATCH: Final = 100  # two milliseconds of the writers' lock
_TURN: Final = "SELECT value FROM meta WHERE key = 'digested_event'"
_NEXT: Final = f"""
    SELECT id, location_id, accepted_at, matched, origin, body FROM event WHERE id > :after
    ORDER BY id LIMIT {BATCH}
"""
_NUMBER: Final = "INSERT INTO event_number (number, event_id) VALUES (:number, :event) ON CONFLICT DO NOTHING"
_HEARD: Final = """
    INSERT INTO heard (location_id, slot, events, unmatched, last_at) VALUES (:l, :slot, 1, :unmatched, :at)
    ON CONFLICT (location_id, slot) DO UPDATE SET events = heard.events + 1,
        unmatched = heard.unmatched + excluded.unmatched, last_at = excluded.last_at
"""
_DONE: Final = "UPDATE meta SET value = :value WHERE key = 'digested_event'"
_AGAIN: Final = "SELECT value FROM meta WHERE key = 'renumber_below'"
_LAST: Final = f"SELECT id, body FROM event WHERE id < :below ORDER BY id DESC LIMIT {BATCH}"
_AGAIN_DONE: Final = "UPDATE meta SET value = :value WHERE key = 'renumber_below'"
_FORGET: Final = (
    "DELETE FROM traffic WHERE slot < :slot",
    "DELETE FROM heard WHERE slot < :slot",
)

log = logging.getLogger(__name__)


def behind(store: Store) -> bool:
    """Whether there are events that were not looked through."""
    with store.direct_read() as direct:
        done = direct.row(_TURN)
        newest = direct.row("SELECT id FROM event ORDER BY id DESC LIMIT 1")
        again = direct.row(_AGAIN)
    return bool(done and newest and newest[0] > int(done[0])) or bool(again and int(again[0]))


def step(store: Store, wait: float | None = None) -> int:
    """Look through the next events; the answer is how many those were.

    Raises:
        Busy: as Store.direct does.
    """
    with store.direct(wait=wait) as direct:
        lock = "" if direct.sqlite else " FOR UPDATE"
        turn = direct.row(_TURN + lock)
        assert turn is not None, "the migration writes it"
        events = direct.rows(_NEXT, {"after": int(turn[0])})
        if not events:
            return 0
        direct.each(
            events,
            lambda some: _note(direct, some),
            _refused,
        )
        direct.run(_DONE, {"value": str(events[-1][0])})
        return len(events)


def renumber(store: Store, wait: float | None = None) -> int:
    """Look through some events once more for their numbers; the answer is how many, 0 at the end.

    Raises:
        Busy: as Store.direct does.
    """
    with store.direct(wait=wait) as direct:
        below = direct.row(_AGAIN + ("" if direct.sqlite else " FOR UPDATE"))
        if below is None or not int(below[0]):
            return 0
        events = direct.rows(_LAST, {"below": int(below[0])})
        direct.each(
            events,
            lambda some: _note_numbers(direct, some),
            _refused,
        )
        direct.run(_AGAIN_DONE, {"value": str(events[-1][0] if events else 0)})
        return len(events)


def catch_up(store: Store, most: int = 20) -> None:
    """For a search: look through what came just now, at most so many batches."""
    while most > 0 and behind(store) and (step(store, wait=0.5) or renumber(store, wait=0.5)):
        most -= 1


def forget(store: Store, days: int) -> None:
    """Drop what was gathered longer ago than the retention."""
    slot = now_ms() // SLOT_MS - days * 96
    with store.direct(wait=None) as direct:
        for statement in _FORGET:
            direct.run(statement, {"slot": slot})


def _refused(event: tuple[object, ...], error: Exception) -> None:
    log.error("event not indexed", extra={"event": wire_id(str(event[-1])), "reason": reason(error)})


def _note(direct: RawConnection, events: Sequence[tuple[object, ...]]) -> None:
    _note_numbers(direct, [(event[0], event[-1]) for event in events])
    heard: list[dict[str, object]] = []
    for _id, location_id, accepted_at, matched, origin, _body in events:
        if origin == "pbx":
            heard.append(
                {"l": location_id, "slot": int(str(accepted_at)) // SLOT_MS, "unmatched": int(not matched),
                 "at": accepted_at}
            )  # fmt: skip
    if heard:
        direct.many(_HEARD, heard)


def _note_numbers(direct: RawConnection, events: Sequence[tuple[object, ...]]) -> None:
    numbers = [
        {"number": key, "event": event_id}
        for event_id, body in events
        for key in sorted(numbers_of(str(body)))
    ]
    if numbers:
        direct.many(_NUMBER, numbers)
