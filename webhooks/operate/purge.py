"""Purge by age, in small transactions with pauses, so that deliveries go first; the books stay balanced."""

import logging
import threading
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from webhooks.db import Store, now_ms
from webhooks.events.numbers import numbers_of
from webhooks.settings import DAY, Settings

_EVENTS: Final = 200
_PAUSE_SECONDS: Final = 0.02

log = logging.getLogger(__name__)


def _ids(sql: str) -> sa.TextClause:
    return sa.text(sql).bindparams(sa.bindparam("ids", expanding=True))


_DROP_HELD = sa.text(f"""
    UPDATE delivery SET state = 'dropped', reason = 'retention', settled_at = :now WHERE id IN (
        SELECT d.id FROM delivery d WHERE d.webhook_id IN (SELECT id FROM webhook) AND d.state = 'held'
        AND d.owner IS NULL AND d.created_at < :before LIMIT {_EVENTS})
""")
# Events whose every delivery is settled; one with a pending delivery stays, however old. What was settled
# only now, dropped a few lines above or resent after weeks, can be looked at for a day.
_OLD = sa.text(f"""
    SELECT e.id, e.matched, e.body FROM event e WHERE e.accepted_at < :before AND NOT EXISTS (
        SELECT 1 FROM delivery d WHERE d.event_id = e.id
        AND (d.state IN ('pending', 'held') OR d.settled_at > :lately))
    ORDER BY e.accepted_at LIMIT {_EVENTS}
""")
_ATTEMPTS = _ids("DELETE FROM attempt WHERE delivery_id IN (SELECT id FROM delivery WHERE event_id IN :ids)")
_DELIVERIES = _ids("DELETE FROM delivery WHERE event_id IN :ids RETURNING webhook_id, state")
_EVENT_ROWS = _ids("DELETE FROM event WHERE id IN :ids")
_NUMBER = sa.text("DELETE FROM event_number WHERE number = :number AND event_id = :event")
_TALLY = sa.text("""
    INSERT INTO tally (webhook_id, state, n) VALUES (:w, :state, :n)
    ON CONFLICT (webhook_id, state) DO UPDATE SET n = tally.n + :n
""")


def purge(settings: Settings, store: Store, stop: threading.Event) -> int:
    """Remove settled deliveries, attempts and events past the retention; the answer is how many events."""
    now = now_ms()
    before = now - settings.retention_days * DAY * 1000
    total = 0
    while not stop.is_set():
        with store.write(wait=None) as session:
            connection = session.connection()
            dropped = connection.execute(_DROP_HELD, {"before": before, "now": now}).rowcount
            events = _purge_batch(connection, {"before": before, "lately": now - DAY * 1000})
        total += events
        if not dropped and not events:
            break
        stop.wait(_PAUSE_SECONDS)
    if total:
        log.info("purged %d events older than %d days", total, settings.retention_days)
    return total


def _purge_batch(connection: sa.Connection, bounds: dict[str, int]) -> int:
    events = connection.execute(_OLD, bounds).all()
    if not events:
        return 0
    ids = [event.id for event in events]
    connection.execute(_ATTEMPTS, {"ids": ids})
    gone: dict[tuple[int, str], int] = {(0, "matched"): sum(event.matched for event in events)}
    for row in connection.execute(_DELIVERIES, {"ids": ids}):
        key = (row.webhook_id, row.state)
        gone[key] = gone.get(key, 0) + 1
    _forget_numbers(connection, events)
    connection.execute(_EVENT_ROWS, {"ids": ids})
    connection.execute(_TALLY, [{"w": w, "state": state, "n": n} for (w, state), n in sorted(gone.items())])
    return len(ids)


def _forget_numbers(connection: sa.Connection, events: Sequence[sa.Row[Any]]) -> None:
    rows = [{"number": key, "event": event.id} for event in events for key in numbers_of(event.body)]
    if rows:
        connection.execute(_NUMBER, rows)
