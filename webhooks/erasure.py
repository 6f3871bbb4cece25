"""Taking events away for good, with all that belongs to them, so that the books stay balanced.

By age (operate/purge), by request for one call or one number, in small transactions with pauses.
"""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Final

import sqlalchemy as sa

from webhooks.db import Store, now_ms
from webhooks.errors import Busy, Invalid
from webhooks.events.numbers import number_key, numbers_of
from webhooks.media.files import Folder

BATCH: Final = 200
_SCAN: Final = 500
_PAUSE_SECONDS: Final = 0.02
_FLIGHT_SECONDS: Final = 60.0  # longer than any attempt takes

log = logging.getLogger(__name__)


def _ids(sql: str) -> sa.TextClause:
    return sa.text(sql).bindparams(sa.bindparam("ids", expanding=True))


_EVENTS = _ids("SELECT id, matched, body FROM event WHERE id IN :ids")
_NUMBER = sa.text("DELETE FROM event_number WHERE number = :number AND event_id = :event")
_MEDIA = _ids("DELETE FROM media WHERE event_id IN :ids RETURNING id")
_ATTEMPTS = _ids("DELETE FROM attempt WHERE delivery_id IN (SELECT id FROM delivery WHERE event_id IN :ids)")
_DELIVERIES = _ids("DELETE FROM delivery WHERE event_id IN :ids RETURNING webhook_id, state")
_EVENT_ROWS = _ids("DELETE FROM event WHERE id IN :ids")
_TALLY = sa.text("""
    INSERT INTO tally (webhook_id, state, n) VALUES (:w, :state, :n)
    ON CONFLICT (webhook_id, state) DO UPDATE SET n = tally.n + :n
""")
_DROP = _ids("""
    UPDATE delivery SET state = 'dropped', reason = 'erased', settled_at = :now
    WHERE event_id IN :ids AND state IN ('pending', 'held') AND owner IS NULL
""")
_OPEN = _ids("SELECT DISTINCT event_id FROM delivery WHERE event_id IN :ids AND state IN ('pending', 'held')")
_CALL = sa.text(f"SELECT id FROM event WHERE thread_key = :t AND id > :after ORDER BY id LIMIT {BATCH}")
_LAST = sa.text("SELECT coalesce(max(id), 0) FROM event")
_BODIES = sa.text(f"SELECT id, body FROM event WHERE id > :after AND id <= :last ORDER BY id LIMIT {_SCAN}")


@dataclass(slots=True)
class Counts:
    """How much was taken away."""

    events: int = 0
    deliveries: int = 0
    attempts: int = 0
    media: int = 0

    def add(self, other: "Counts") -> None:
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))


def remove_events(connection: sa.Connection, ids: Sequence[int]) -> tuple[Counts, list[str]]:
    """Delete events whose every delivery is settled, in the caller's transaction. The second value are the
    recordings whose files are to be removed after the commit; what a crash leaves, housekeeping finds."""
    media = list(connection.execute(_MEDIA, {"ids": ids}).scalars())
    events = connection.execute(_EVENTS, {"ids": ids}).all()
    gone: dict[tuple[int, str], int] = {(0, "matched"): sum(event.matched for event in events)}
    numbers = [{"number": key, "event": event.id} for event in events for key in numbers_of(event.body)]
    if numbers:
        connection.execute(_NUMBER, numbers)
    attempts = connection.execute(_ATTEMPTS, {"ids": ids}).rowcount
    for row in connection.execute(_DELIVERIES, {"ids": ids}):
        key = (row.webhook_id, row.state)
        gone[key] = gone.get(key, 0) + 1
    connection.execute(_EVENT_ROWS, {"ids": ids})
    connection.execute(_TALLY, [{"w": w, "state": state, "n": n} for (w, state), n in sorted(gone.items())])
    deliveries = sum(gone.values()) - gone[0, "matched"]
    return Counts(len(ids), deliveries, attempts, len(media)), media


def erase_call(store: Store, folder: Folder, key: str) -> Counts:
    """Erase all events of a call (``event.thread_key``)."""
    counts, after = Counts(), 0
    while True:
        with store.read() as session:
            ids = list(session.connection().execute(_CALL, {"t": key, "after": after}).scalars())
        if not ids:
            break
        after = ids[-1]
        _erase(store, folder, ids, counts)
    log.info("erased a call: %s", counts)
    return counts


def erase_number(store: Store, folder: Folder, number: str, progress: Callable[[int, int], None]) -> Counts:
    """Erase all events that have a number in ``to`` or ``from``, however it is written."""
    wanted = number_key(number)
    if not wanted:
        raise Invalid("The number is empty.")
    counts, after = Counts(), 0
    with store.read() as session:
        last = int(session.connection().execute(_LAST).scalar_one())
    while True:
        with store.read() as session:
            rows = session.connection().execute(_BODIES, {"after": after, "last": last}).all()
        if not rows:
            break
        after = rows[-1].id
        found = [row.id for row in rows if wanted in numbers_of(row.body)]
        for begin in range(0, len(found), BATCH):
            _erase(store, folder, found[begin : begin + BATCH], counts)
        progress(after, last)
        time.sleep(_PAUSE_SECONDS)
    log.info(
        "erased a number that ends in %s: %s", wanted[1::-1], counts
    )  # not again what was to be forgotten
    return counts


def _erase(store: Store, folder: Folder, ids: Iterable[int], counts: Counts) -> None:
    until = time.monotonic() + _FLIGHT_SECONDS
    left = list(ids)
    while left:
        with store.write(wait=None) as session:
            connection = session.connection()
            connection.execute(_DROP, {"ids": left, "now": now_ms()})
            in_flight = set(connection.execute(_OPEN, {"ids": left}).scalars())
            done = [event for event in left if event not in in_flight]
            removed, media = remove_events(connection, done) if done else (Counts(), [])
        for media_id in media:
            folder.remove(media_id)
        counts.add(removed)
        left = [event for event in left if event in in_flight]
        if left and time.monotonic() > until:
            raise Busy("Some deliveries are on their way all the time; the rest is erased. Try again.")
        time.sleep(_PAUSE_SECONDS)
