"""SQL for lane leases: find due lanes, acquire and release them; one statement for many lanes."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from webhooks.db.raw import RawConnection


class DueLane(NamedTuple):
    """A lane that no other worker owns, and when (ms since 1970) it has something to send."""

    webhook_id: int
    due_ms: int


DUE_LANES: Final = """
    SELECT webhook_id, not_before, probe_at, due_at FROM (
        SELECT l.webhook_id, l.not_before, l.probe_at,
               (SELECT d.due_at FROM delivery d WHERE d.webhook_id = l.webhook_id AND d.state = 'pending'
                ORDER BY d.due_at LIMIT 1) AS due_at
        FROM lane l JOIN webhook w ON w.id = l.webhook_id
        WHERE (l.owner IS NULL OR l.owner = :owner_id) AND w.state = 'active' AND w.deleted_at IS NULL
              AND NOT l.webhook_id IN :ids
    ) AS lanes WHERE due_at IS NOT NULL
"""
_ACQUIRE: Final = """
    UPDATE lane SET owner = :owner_id WHERE webhook_id IN :ids AND (owner IS NULL OR owner = :owner_id)
    RETURNING webhook_id
"""
# Two processes that lock lanes in different orders would each wait for the other: what another one has locked
# is left to it.
_ACQUIRE_POSTGRESQL: Final = """
    UPDATE lane SET owner = :owner_id WHERE webhook_id IN (
        SELECT webhook_id FROM lane WHERE webhook_id IN :ids AND (owner IS NULL OR owner = :owner_id)
        FOR UPDATE SKIP LOCKED)
    RETURNING webhook_id
"""
RELEASE_IF_EMPTY: Final = """
    UPDATE lane SET owner = NULL WHERE webhook_id IN :ids AND owner = :owner_id AND NOT EXISTS (
        SELECT 1 FROM delivery d WHERE d.webhook_id = lane.webhook_id AND d.state = 'pending'
        AND d.due_at <= :now)
    RETURNING webhook_id
"""
_RELEASE: Final = "UPDATE lane SET owner = NULL WHERE webhook_id IN :ids AND owner = :owner_id"


def due_lanes(direct: RawConnection, owner_id: str, busy: Iterable[int] = ()) -> list[DueLane]:
    """Lanes of active webhooks with pending rows that nobody or ``owner_id`` owns, due now or later.

    ``busy``: webhooks not to look at.
    """
    return [
        DueLane(webhook_id, max(due_at, not_before, probe_at))
        for webhook_id, not_before, probe_at, due_at in direct.rows(
            DUE_LANES, {"owner_id": owner_id, "ids": list(busy)}
        )
    ]


def acquire(direct: RawConnection, owner_id: str, webhook_ids: Iterable[int]) -> list[int]:
    """Become the owner of lanes. Returns those that ``owner_id`` owns now; the others have another owner."""
    sql = _ACQUIRE if direct.sqlite else _ACQUIRE_POSTGRESQL
    rows = direct.rows(sql, {"owner_id": owner_id, "ids": webhook_ids})
    return [webhook_id for (webhook_id,) in rows]


def release_if_empty(
    direct: RawConnection, owner_id: str, webhook_ids: Iterable[int], now_ms: int
) -> set[int]:
    """Release lanes without due rows. Returns those that were released.

    One statement checks and releases: a row that becomes due meanwhile is seen either here or by whoever
    acquires the lane next.
    """
    rows = direct.rows(RELEASE_IF_EMPTY, {"owner_id": owner_id, "ids": webhook_ids, "now": now_ms})
    return {webhook_id for (webhook_id,) in rows}


def release(direct: RawConnection, owner_id: str, webhook_ids: Iterable[int]) -> None:
    """Release lanes although rows are due: whichever worker looks next may acquire them."""
    direct.run(_RELEASE, {"owner_id": owner_id, "ids": webhook_ids})
