"""Purge by age, in small transactions with pauses, so that deliveries go first."""

import logging
import threading
from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa

from webhooks.db import row_errors
from webhooks.db.raw import text_with_ids
from webhooks.db.store import Store, now_ms
from webhooks.media.storage import Folder
from webhooks.retention.removal import remove_events
from webhooks.settings import DAY, Settings

_EVENTS: Final = 200
_PAUSE_SECONDS: Final = 0.02

log = logging.getLogger(__name__)


_DROP_HELD = sa.text("""
    SELECT d.id FROM delivery d WHERE d.webhook_id IN (SELECT id FROM webhook) AND d.state = 'held'
    AND d.owner IS NULL AND d.created_at < :before LIMIT :most
""")
_DROP_THESE = text_with_ids("""
    UPDATE delivery SET state = 'dropped', reason = 'retention', settled_at = :now
    WHERE id IN :ids AND state = 'held' AND owner IS NULL
""")
# Events whose every delivery is settled; one with a pending delivery stays, however old. What was settled
# only now, dropped a few lines above or resent after weeks, can be looked at for a day.
_OLD = sa.text("""
    SELECT e.id FROM event e WHERE e.accepted_at < :before AND NOT EXISTS (
        SELECT 1 FROM delivery d WHERE d.event_id = e.id
        AND (d.state IN ('pending', 'held') OR d.settled_at > :lately))
    ORDER BY e.accepted_at LIMIT :most
""")


def purge(settings: Settings, store: Store, stop: threading.Event) -> int:
    """Remove events past the retention with all that belongs to them. Returns how many events."""
    now = now_ms()
    before = now - settings.retention_days * DAY * 1000
    total = 0
    folder = Folder(settings.data)
    while not stop.is_set():
        with store.write(wait=None) as session:
            connection = session.connection()
            dropped = _drop_held(connection, before, now)
            events, media = _purge_batch(connection, {"before": before, "lately": now - DAY * 1000})
        for media_id in media:
            folder.remove(media_id)
        total += events
        if not dropped and not events:
            break
        stop.wait(_PAUSE_SECONDS)
    if total:
        log.info("purged", extra={"events": total, "retention_days": settings.retention_days})
    return total


def _drop_held(connection: sa.Connection, before: int, now: int) -> int:
    left = row_errors.left_alone("delivery")
    held = connection.execute(_DROP_HELD, {"before": before, "most": _EVENTS + len(left)}).scalars()
    dropped: list[int] = []

    def drop(ids: Sequence[int]) -> None:
        dropped.append(connection.execute(_DROP_THESE, {"ids": list(ids), "now": now}).rowcount)

    row_errors.each(
        connection.begin_nested,
        [delivery_id for delivery_id in held if delivery_id not in left],
        drop,
        lambda delivery_id, error: row_errors.leave("delivery", delivery_id, error),
    )
    return sum(dropped)


def _purge_batch(connection: sa.Connection, bounds: dict[str, int]) -> tuple[int, list[str]]:
    left = row_errors.left_alone("event")
    old = connection.execute(_OLD, {**bounds, "most": _EVENTS + len(left)}).scalars()
    counts, media_ids = remove_events(connection, [event_id for event_id in old if event_id not in left])
    return counts.events, media_ids
