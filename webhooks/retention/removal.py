"""Taking events away for good, with all that belongs to them, so that the books stay balanced.

By age (retention/purge), by request for one call or one number, in small transactions with pauses.
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
    INSERT INTO tally (webhook_id, state, n) VALUES (:w, :state, :n)
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
    """How much was taken away."""

    events: int = 0
    deliveries: int = 0
    attempts: int = 0
    media: int = 0


def remove_events(connection: sa.Connection, ids: Sequence[int]) -> tuple[Counts, list[str]]:
    """Delete events whose every delivery is settled, in the caller's transaction. The second value are the
    recordings whose files are to be removed after the commit; what a crash leaves, housekeeping finds."""
    return _remove(connection, _ours(connection, ids))


def _remove(connection: sa.Connection, events: Sequence[sa.Row[Any]]) -> tuple[Counts, list[str]]:
    """An event that the database does not let go stays, with all that is its, and is tallied nowhere."""
    done: list[tuple[Counts, list[str]]] = []
    row_errors.each(
        connection.begin_nested,
        events,
        lambda some: done.append(_remove_all(connection, some)),
        lambda event, error: row_errors.leave("event", event.id, error),
    )
    counts = Counts()
    for one, _ in done:
        counts.events += one.events
        counts.deliveries += one.deliveries
        counts.attempts += one.attempts
        counts.media += one.media
    return counts, [media_id for _, media in done for media_id in media]


def _remove_all(connection: sa.Connection, events: Sequence[sa.Row[Any]]) -> tuple[Counts, list[str]]:
    ids = [event.id for event in events]
    media = list(connection.execute(_MEDIA, {"ids": ids}).scalars())
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


def _ours(connection: sa.Connection, ids: Sequence[int]) -> Sequence[sa.Row[Any]]:
    """Those of the events that are there, locked: of two processes at the same events the second finds none,
    and tallies none."""
    lock = " ORDER BY id FOR UPDATE" if connection.dialect.name == "postgresql" else ""
    return connection.execute(text_with_ids(_EVENTS + lock), {"ids": ids}).all()


def remove_batch(store: Store, folder: Folder, ids: Sequence[int]) -> Counts:
    """Erase events and their files: what is open is dropped, what is on its way is left for another time."""
    with store.write(wait=None) as session:
        connection = session.connection()
        events = _ours(connection, ids)
        row_errors.each(
            connection.begin_nested,
            ids,
            lambda some: connection.execute(_DROP, {"ids": list(some), "now": now_ms()}),
            lambda one, error: row_errors.leave("event", one, error),
        )
        in_flight = set(connection.execute(_OPEN, {"ids": ids}).scalars())
        removed, media = _remove(connection, [event for event in events if event.id not in in_flight])
    for media_id in media:
        folder.remove(media_id)
    return removed
