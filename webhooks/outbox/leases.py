"""SQL for lane leases: find due lanes, acquire and release them; one statement for many lanes."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from webhooks.db.raw import RawConnection


class DueLane(NamedTuple):
    """A lane that no other worker owns, and when (ms since 1970) it has something to send.

    ``has_answered``: its receiver has taken a delivery once, and did not break since.
    """

    webhook_id: int
    due_ms: int
    has_answered: bool = False


_HAS_ANSWERED: Final = """
    l.broken = 0 AND EXISTS (
        SELECT 1 FROM delivery a WHERE a.webhook_id = l.webhook_id AND a.state = 'delivered') AS has_answered
"""
DUE_LANES: Final = f"""
    SELECT webhook_id, not_before, probe_at, due_at, has_answered FROM (
        SELECT l.webhook_id, l.not_before, l.probe_at, {_HAS_ANSWERED},
               (SELECT d.due_at FROM delivery d WHERE d.webhook_id = l.webhook_id AND d.state = 'pending'
                ORDER BY d.due_at LIMIT 1) AS due_at
        FROM lane l JOIN webhook w ON w.id = l.webhook_id
        WHERE (l.owner IS NULL OR l.owner = :owner_id) AND w.state = 'active' AND w.deleted_at IS NULL
              AND NOT l.webhook_id IN :ids
    ) AS lanes WHERE due_at IS NOT NULL
"""
# The unary plus keeps SQLite from the index of due rows, in which it would read all that are pending.
LANES_OF_NEW: Final = f"""
    SELECT n.webhook_id, l.not_before, l.probe_at, n.due_at, {_HAS_ANSWERED}
    FROM (SELECT webhook_id, min(due_at) AS due_at FROM delivery
          WHERE id > :after AND id <= :last AND +state = 'pending' GROUP BY webhook_id) AS n
    JOIN lane l ON l.webhook_id = n.webhook_id JOIN webhook w ON w.id = n.webhook_id
    WHERE (l.owner IS NULL OR l.owner = :owner_id) AND w.state = 'active' AND w.deleted_at IS NULL
"""
_LAST_DELIVERY: Final = "SELECT max(id) FROM delivery"
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
_DUE: Final = """
    EXISTS (SELECT 1 FROM delivery d WHERE d.webhook_id = lane.webhook_id AND d.state = 'pending'
            AND d.due_at <= :now)
"""
ACQUIRE_IF_DUE: Final = f"""
    UPDATE lane SET owner = :owner_id WHERE webhook_id IN :ids AND (owner IS NULL OR owner = :owner_id)
    AND {_DUE} RETURNING webhook_id
"""
_ACQUIRE_IF_DUE_POSTGRESQL: Final = f"""
    UPDATE lane SET owner = :owner_id WHERE webhook_id IN (
        SELECT webhook_id FROM lane WHERE webhook_id IN :ids AND (owner IS NULL OR owner = :owner_id)
        AND {_DUE} FOR UPDATE SKIP LOCKED)
    RETURNING webhook_id
"""
RELEASE_IF_EMPTY: Final = f"""
    UPDATE lane SET owner = NULL WHERE webhook_id IN :ids AND owner = :owner_id AND NOT {_DUE}
    RETURNING webhook_id
"""
_RELEASE: Final = "UPDATE lane SET owner = NULL WHERE webhook_id IN :ids AND owner = :owner_id"


def due_lanes(direct: RawConnection, owner_id: str, busy: Iterable[int] = ()) -> list[DueLane]:
    """Lanes of active webhooks with pending rows that nobody or ``owner_id`` owns, due now or later.

    ``busy``: webhooks not to look at.
    """
    return _due(direct.rows(DUE_LANES, {"owner_id": owner_id, "ids": list(busy)}))


def lanes_of_new(direct: RawConnection, owner_id: str, after: int, last: int) -> list[DueLane]:
    """As ``due_lanes``, but of the deliveries with ids above ``after``, up to ``last``, alone."""
    return _due(direct.rows(LANES_OF_NEW, {"owner_id": owner_id, "after": after, "last": last}))


def last_delivery(direct: RawConnection) -> int:
    """The highest id of a delivery; 0: there is none. Those of purged ones are not given again."""
    row = direct.row(_LAST_DELIVERY)
    return (row and row[0]) or 0


def _due(rows: Iterable[tuple[int, int, int, int, bool]]) -> list[DueLane]:
    return [
        DueLane(webhook_id, max(due_at, not_before, probe_at), bool(has_answered))
        for webhook_id, not_before, probe_at, due_at, has_answered in rows
    ]


def acquire(direct: RawConnection, owner_id: str, webhook_ids: Iterable[int]) -> list[int]:
    """Become the owner of lanes. Returns those that ``owner_id`` owns now; the others have another owner."""
    sql = _ACQUIRE if direct.sqlite else _ACQUIRE_POSTGRESQL
    rows = direct.rows(sql, {"owner_id": owner_id, "ids": webhook_ids})
    return [webhook_id for (webhook_id,) in rows]


def acquire_if_due(
    direct: RawConnection, owner_id: str, webhook_ids: Iterable[int], now_ms: int
) -> list[int]:
    """As ``acquire``, but only lanes with due rows: what a look said of them may be over."""
    sql = ACQUIRE_IF_DUE if direct.sqlite else _ACQUIRE_IF_DUE_POSTGRESQL
    rows = direct.rows(sql, {"owner_id": owner_id, "ids": webhook_ids, "now": now_ms})
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
