"""Now: a person wants what waits to be tried at once, past back-off, circuit breaker and Retry-After.

What is made due goes the usual way: in order within a call, within the webhook's rate. A webhook that fails
has one attempt at a time until one succeeds. Each call is in the caller's transaction.
"""

from typing import Final, NamedTuple

from webhooks.db.meta import config_changed
from webhooks.db.models.outbox import NOT_YET_MS
from webhooks.db.raw import RawConnection
from webhooks.db.row_errors import leave

BATCH: Final = 500

_LIFT_HOLDS: Final = """
    UPDATE lane SET not_before = 0,
           probe_at = CASE WHEN failures > 0 OR not_before > :now THEN :now ELSE 0 END
    WHERE webhook_id = :webhook_id
"""
# A recording that is not ready cannot be hurried. A claimed row is on its way, its due time is its lease.
_MAY_BE_HURRIED: Final = f"owner IS NULL AND due_at < {NOT_YET_MS}"
LATER_ROWS: Final = f"""
    SELECT id FROM delivery WHERE webhook_id = :webhook_id AND state = 'pending' AND due_at > :now
    AND {_MAY_BE_HURRIED} ORDER BY due_at, id LIMIT {BATCH}
"""
# The states twice and the order are for SQLite's choice of the index, see ``claim``.
ROWS_OF_CALL: Final = f"""
    SELECT id FROM delivery WHERE webhook_id = :webhook_id AND thread_key = :thread_key
    AND state IN ('pending', 'held') AND state <> 'held' AND id <= :id AND {_MAY_BE_HURRIED}
    ORDER BY thread_key, id LIMIT {BATCH}
"""
FIRST_DUE: Final = """
    SELECT due_at FROM delivery WHERE webhook_id = :webhook_id AND state = 'pending'
    ORDER BY due_at LIMIT 1
"""
FIRST_TO_GO: Final = """
    SELECT id, attempts FROM delivery WHERE webhook_id = :webhook_id AND state = 'pending' AND due_at <= :now
    AND owner IS NULL ORDER BY due_at, id LIMIT 1
"""
_MAKE_DUE: Final = """
    UPDATE delivery SET due_at = :due WHERE id IN :ids AND state = 'pending' AND owner IS NULL
"""


class First(NamedTuple):
    """The delivery that goes first, and how many attempts it has had."""

    id: int
    attempts: int


def lift_holds(direct: RawConnection, webhook_id: int, now_ms: int) -> None:
    """End a Retry-After hold and the wait for the next probe; every process reads the lane anew."""
    config_changed(direct)
    direct.run(_LIFT_HOLDS, {"webhook_id": webhook_id, "now": now_ms})


def hurry_batch(direct: RawConnection, webhook_id: int, now_ms: int) -> bool:
    """Make the next waiting rows of a webhook due at ``now_ms``. Returns whether there may be more."""
    ids = _ids(direct, LATER_ROWS, {"webhook_id": webhook_id, "now": now_ms})
    _make_due(direct, ids, now_ms)
    return len(ids) == BATCH


def first_to_go(direct: RawConnection, webhook_id: int, now_ms: int) -> First | None:
    """Read which delivery of a webhook a dispatcher takes first. Returns None where none is due."""
    row = direct.row(FIRST_TO_GO, {"webhook_id": webhook_id, "now": now_ms})
    return First(*row) if row else None


def hurry_delivery(
    direct: RawConnection, webhook_id: int, thread_key: str, delivery_id: int, now_ms: int
) -> None:
    """Make a row and the earlier ones of its call due, before all others of the webhook."""
    parameters = {"webhook_id": webhook_id, "thread_key": thread_key, "id": delivery_id}
    ids = _ids(direct, ROWS_OF_CALL, parameters)
    first = direct.row(FIRST_DUE, {"webhook_id": webhook_id})
    _make_due(direct, ids, min(now_ms, first[0] - 1) if first else now_ms)


def _ids(direct: RawConnection, sql: str, parameters: dict[str, object]) -> list[int]:
    # A row that a dispatcher has locked is being claimed or settled: to wait for it could be a deadlock.
    lock = "" if direct.sqlite else " FOR UPDATE SKIP LOCKED"
    return [id_ for (id_,) in direct.rows(sql + lock, parameters)]


def _make_due(direct: RawConnection, ids: list[int], due_ms: int) -> None:
    direct.each(
        ids,
        lambda some: direct.run(_MAKE_DUE, {"ids": some, "due": due_ms}),
        lambda id_, error: leave("delivery", id_, error),
    )
