"""Purge by age, in small transactions with pauses, so that deliveries go first; the books stay balanced."""

import logging
import threading
from typing import Final

import sqlalchemy as sa

from webhooks.db import Store, now_ms
from webhooks.erasure import remove_events
from webhooks.media.files import Folder
from webhooks.settings import DAY, Settings

_EVENTS: Final = 200
_PAUSE_SECONDS: Final = 0.02

log = logging.getLogger(__name__)


_DROP_HELD = sa.text(f"""
    UPDATE delivery SET state = 'dropped', reason = 'retention', settled_at = :now WHERE id IN (
        SELECT d.id FROM delivery d WHERE d.webhook_id IN (SELECT id FROM webhook) AND d.state = 'held'
        AND d.owner IS NULL AND d.created_at < :before LIMIT {_EVENTS})
""")
# Events whose every delivery is settled; one with a pending delivery stays, however old. What was settled
# only now, dropped a few lines above or resent after weeks, can be looked at for a day.
_OLD = sa.text(f"""
    SELECT e.id FROM event e WHERE e.accepted_at < :before AND NOT EXISTS (
        SELECT 1 FROM delivery d WHERE d.event_id = e.id
        AND (d.state IN ('pending', 'held') OR d.settled_at > :lately))
    ORDER BY e.accepted_at LIMIT {_EVENTS}
""")


def purge(settings: Settings, store: Store, stop: threading.Event) -> int:
    """Remove events past the retention with all that is theirs; the answer is how many events."""
    now = now_ms()
    before = now - settings.retention_days * DAY * 1000
    total = 0
    folder = Folder(settings.data)
    while not stop.is_set():
        with store.write(wait=None) as session:
            connection = session.connection()
            dropped = connection.execute(_DROP_HELD, {"before": before, "now": now}).rowcount
            events, media = _purge_batch(connection, {"before": before, "lately": now - DAY * 1000})
        for media_id in media:
            folder.remove(media_id)
        total += events
        if not dropped and not events:
            break
        stop.wait(_PAUSE_SECONDS)
    if total:
        log.info("purged %d events older than %d days", total, settings.retention_days)
    return total


def _purge_batch(connection: sa.Connection, bounds: dict[str, int]) -> tuple[int, list[str]]:
    ids = [event.id for event in connection.execute(_OLD, bounds)]
    return (len(ids), remove_events(connection, ids)[1]) if ids else (0, [])
