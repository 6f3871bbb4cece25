"""Removal of events with all that belongs to them; what is removed is added to the totals.

The purge removes by age, an erasure by call or number.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from webhooks.db import row_errors
from webhooks.db.raw import text_with_ids
from webhooks.db.store import Store, now_ms
from webhooks.events.phone_numbers import numbers_of
from webhooks.media.storage import Folder

BATCH: Final = 200


_EVENTS: Final = "SELECT id, matched, body FROM event WHERE id IN :ids"
_NUMBER = sa.text("DELETE FROM event_number WHERE number = :number AND event_id = :event")
_MEDIA = text_with_ids("DELETE FROM media WHERE event_id IN :ids RETURNING id")
_ATTEMPTS = text_with_ids(
    "DELETE FROM attempt WHERE delivery_id IN (SELECT id FROM delivery WHERE event_id IN :ids)"
)
_DELIVERIES = text_with_ids("DELETE FROM delivery WHERE event_id IN :ids RETURNING webhook_id, state")
_EVENT_ROWS = text_with_ids("DELETE FROM event WHERE id IN :ids")
_TALLY = sa.text("""
    INSERT INTO tally (webhook_id, state, n) VALUES (:webhook_id, :state, :n)
    ON CONFLICT (webhook_id, state) DO UPDATE SET n = tally.n + :n
""")
_DROP = text_with_ids("""
    UPDATE delivery SET state = 'dropped', reason = 'erased', settled_at = :now
    WHERE event_id IN :ids AND state IN ('pending', 'held') AND owner IS NULL
""")
_OPEN = text_with_ids(
    "SELECT DISTINCT event_id FROM delivery WHERE event_id IN :ids AND state IN ('pending', 'held')"
)


@dataclass(slots=True)
class Counts:
    """How many rows of each kind were removed."""

    events: int = 0
    deliveries: int = 0
    attempts: int = 0
    media: int = 0


def remove_events(connection: sa.Connection, ids: Sequence[int]) -> tuple[Counts, list[str]]:
    """Delete events whose every delivery is settled, in the caller's transaction.

    Returns what was removed, and the ids of recordings whose files are to be removed after the commit.
    Housekeeping finds the files that a crash in between leaves.
    """
    return _remove(connection, _locked(connection, ids))


def _remove(connection: sa.Connection, events: Sequence[sa.Row[Any]]) -> tuple[Counts, list[str]]:
    """Delete events. One that the database refuses to delete stays whole, and is counted nowhere."""
    done: list[tuple[Counts, list[str]]] = []
    row_errors.each(
        connection.begin_nested,
        events,
        lambda some: done.append(_remove_all(connection, some)),
        lambda event, error: row_errors.leave("event", event.id, error),
    )
    counts = Counts()
    for part, _ in done:
        counts.events += part.events
        counts.deliveries += part.deliveries
        counts.attempts += part.attempts
        counts.media += part.media
    return counts, [media_id for _, media_ids in done for media_id in media_ids]


def _remove_all(connection: sa.Connection, events: Sequence[sa.Row[Any]]) -> tuple[Counts, list[str]]:
    ids = [event.id for event in events]
    media_ids = list(connection.execute(_MEDIA, {"ids": ids}).scalars())
    removed: dict[tuple[int, str], int] = {(0, "matched"): sum(event.matched for event in events)}
    numbers = [{"number": key, "event": event.id} for event in events for key in numbers_of(event.body)]
    if numbers:
        connection.execute(_NUMBER, numbers)
    attempts = connection.execute(_ATTEMPTS, {"ids": ids}).rowcount
    for row in connection.execute(_DELIVERIES, {"ids": ids}):
        key = (row.webhook_id, row.state)
        removed[key] = removed.get(key, 0) + 1
    connection.execute(_EVENT_ROWS, {"ids": ids})
    tallies = [
        {"webhook_id": webhook_id, "state": state, "n": n}
        for (webhook_id, state), n in sorted(removed.items())
    ]
    connection.execute(_TALLY, tallies)
    deliveries = sum(removed.values()) - removed[0, "matched"]
    return Counts(len(ids), deliveries, attempts, len(media_ids)), media_ids


def _locked(connection: sa.Connection, ids: Sequence[int]) -> Sequence[sa.Row[Any]]:
    """Read and lock events. Of two processes at the same events the second finds none, and counts none."""
    lock = " ORDER BY id FOR UPDATE" if connection.dialect.name == "postgresql" else ""
    return connection.execute(text_with_ids(_EVENTS + lock), {"ids": ids}).all()


def remove_batch(store: Store, folder: Folder, ids: Sequence[int]) -> Counts:
    """Erase events and their files; drop their open deliveries.

    An event with a delivery on its way to a receiver is left for another call.
    """
    with store.write(wait=None) as session:
        connection = session.connection()
        events = _locked(connection, ids)
        row_errors.each(
            connection.begin_nested,
            ids,
            lambda some: connection.execute(_DROP, {"ids": list(some), "now": now_ms()}),
            lambda event_id, error: row_errors.leave("event", event_id, error),
        )
        in_flight = set(connection.execute(_OPEN, {"ids": ids}).scalars())
        counts, media_ids = _remove(connection, [event for event in events if event.id not in in_flight])
    for media_id in media_ids:
        folder.remove(media_id)
    return counts
