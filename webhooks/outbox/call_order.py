"""Order within a call: which of its open rows may be sent now, as one batch. Pure.

A batch is the call's earliest open rows, sent by one thread in order. A row that is in flight or waits for a
retry holds back all later ones; 30 seconds after its first attempt began, they are free.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from webhooks.outbox.rows import HOLD_MS, LEASE_MS, OpenRow

POISON_CLAIMS: Final = 3  # claims without an outcome: it may be what kills the process, and is sent alone


class CallSplit(NamedTuple):
    """A call's open rows: those to send, ids of those too old to send, when (ms) the rest is due again."""

    batch: list[OpenRow]
    expired: list[int]
    recheck_ms: int


def split(
    rows: Sequence[OpenRow], owner_id: str, *, now_ms: int, limit: int, oldest_ms: int | None
) -> CallSplit:
    """Split a call's open rows, given in order. At most ``limit`` are sent.

    Rows created before ``oldest_ms`` are too old, but for those that a person opened again.
    """
    batch: list[OpenRow] = []
    expired: list[int] = []
    for row in rows:
        # A due row that another worker owns has outlived its lease: that worker's machine is lost.
        if row.owner == owner_id or row.state != "pending" or row.due_ms > now_ms:
            if row.first_try_ms is None or row.first_try_ms + HOLD_MS > now_ms:
                return CallSplit(batch, expired, _recheck_ms(row, now_ms))
        elif oldest_ms is not None and row.created_ms < oldest_ms and row.first_try_ms != 0:
            expired.append(row.id)
        else:
            poison = row.claims - row.tries >= POISON_CLAIMS
            if len(batch) >= limit or (poison and batch):
                break
            batch.append(row)
            if poison:
                break
    # The rest waits for this batch, and is released when it is settled. Should that never be, by this time.
    return CallSplit(batch, expired, now_ms + LEASE_MS)


def _recheck_ms(row: OpenRow, now_ms: int) -> int:
    """When the row that holds back the others may do so no more: it is due, or its hold ends."""
    times_ms = (row.due_ms, (row.first_try_ms or now_ms) + HOLD_MS)
    return min((time_ms for time_ms in times_ms if time_ms > now_ms), default=now_ms + HOLD_MS)
