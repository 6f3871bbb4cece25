"""What becomes of open deliveries when their webhook is paused, disabled, resumed or deleted.

The webhook's row says what should be; ``step`` moves its deliveries there, a bounded batch in each
transaction. So a change of 100,000 rows holds nobody up, and one cut short by a crash is taken up again.
"""

from typing import Final

import sqlalchemy as sa

from webhooks.db import Store, config_changed, now_ms

BATCH: Final = 500

_UNSETTLED = sa.text("""
    SELECT w.id FROM webhook w
    WHERE (w.deleted_at IS NOT NULL OR w.state <> 'active' OR w.resume IS NOT NULL) AND (
        w.resume IS NOT NULL AND w.deleted_at IS NULL
        OR EXISTS (SELECT 1 FROM delivery d
                   WHERE d.webhook_id = w.id AND d.state = 'pending' AND d.owner IS NULL)
        OR w.deleted_at IS NOT NULL
           AND EXISTS (SELECT 1 FROM delivery d WHERE d.webhook_id = w.id AND d.state = 'held'))
""")
_WANTED = sa.text("SELECT state, resume, deleted_at FROM webhook WHERE id = :w")


def _batch(change: str, states: str) -> sa.TextClause:
    return sa.text(f"""
        UPDATE delivery SET {change} WHERE id IN (
            SELECT id FROM delivery WHERE webhook_id = :w AND state IN ({states}) AND owner IS NULL
            ORDER BY id LIMIT {BATCH})
    """)


_DELETE = _batch("state = 'dropped', reason = 'webhook deleted', settled_at = :now", "'pending', 'held'")
_HOLD = _batch("state = 'held', reason = NULL", "'pending'")
_SEND = _batch(
    "state = 'pending', due_at = :now, first_try_at = CASE WHEN first_try_at = 0 THEN 0 END", "'held'"
)
_DROP = _batch("state = 'dropped', reason = 'dropped on resume', settled_at = :now", "'held'")
_RESUMED = sa.text("UPDATE webhook SET state = 'active', reason = NULL, resume = NULL WHERE id = :w")
_HEALED = sa.text("""
    UPDATE lane SET failures = 0, broken = 0, not_before = 0, probe_at = 0, failing_since = NULL
    WHERE webhook_id = :w
""")


def unsettled(connection: sa.Connection) -> list[int]:
    """Webhooks whose deliveries are not yet where they should be."""
    return list(connection.execute(_UNSETTLED).scalars())


def step(connection: sa.Connection, webhook_id: int) -> int | None:
    """Move one batch; the answer is how many rows it moved, None when all are there."""
    wanted = connection.execute(_WANTED, {"w": webhook_id}).one()
    parameters = {"w": webhook_id, "now": now_ms()}
    if wanted.deleted_at is not None:
        statement = _DELETE
    elif wanted.resume:
        statement = _SEND if wanted.resume == "send" else _DROP
    elif wanted.state != "active":
        statement = _HOLD
    else:
        return None
    moved = connection.execute(statement, parameters).rowcount
    if moved == BATCH:
        return moved
    if wanted.resume and wanted.deleted_at is None:
        # In the transaction of the last batch: an event that came meanwhile was held with the others.
        connection.execute(_RESUMED, parameters)
        connection.execute(_HEALED, parameters)
        config_changed(connection)
    return moved or None


def settle_webhook(store: Store, webhook_id: int) -> int:
    """Move all of a webhook's deliveries; the answer is how many."""
    total = 0
    while True:
        with store.write() as session:
            moved = step(session.connection(), webhook_id)
        total += moved or 0
        if moved is None or moved < BATCH:
            return total
