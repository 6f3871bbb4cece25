"""Whose lane is it? Which lanes are due, taking them over, giving them up: many in one statement each."""

from collections.abc import Iterable
from dataclasses import dataclass

from webhooks.db.raw import RawConnection


@dataclass(frozen=True, slots=True)
class DueLane:
    """A lane that nobody else owns. ``due_at`` in ms."""

    webhook_id: int
    due_at: int


_DUE_LANES = """
    SELECT webhook_id, not_before, probe_at, due_at FROM (
        SELECT l.webhook_id, l.not_before, l.probe_at,
               (SELECT d.due_at FROM delivery d WHERE d.webhook_id = l.webhook_id AND d.state = 'pending'
                ORDER BY d.due_at LIMIT 1) AS due_at
        FROM lane l JOIN webhook w ON w.id = l.webhook_id
        WHERE (l.owner IS NULL OR l.owner = :me) AND w.state = 'active' AND w.deleted_at IS NULL
    ) AS lanes WHERE due_at IS NOT NULL
"""
_OWN = """
    UPDATE lane SET owner = :me WHERE webhook_id IN :ids AND (owner IS NULL OR owner = :me)
    RETURNING webhook_id
"""
# Two processes that take lanes over in another order each would wait for each other: what another one has
# locked is left to it.
_OWN_POSTGRESQL = """
    UPDATE lane SET owner = :me WHERE webhook_id IN (
        SELECT webhook_id FROM lane WHERE webhook_id IN :ids AND (owner IS NULL OR owner = :me)
        FOR UPDATE SKIP LOCKED)
    RETURNING webhook_id
"""
_DISOWN = """
    UPDATE lane SET owner = NULL WHERE webhook_id IN :ids AND owner = :me AND NOT EXISTS (
        SELECT 1 FROM delivery d WHERE d.webhook_id = lane.webhook_id AND d.state = 'pending'
        AND d.due_at <= :now)
    RETURNING webhook_id
"""
_LEAVE = "UPDATE lane SET owner = NULL WHERE webhook_id IN :ids AND owner = :me"


def due_lanes(direct: RawConnection, me: str, now: int) -> list[DueLane]:
    """Active lanes with pending rows that are free or ours, each with the time of its first due row."""
    return [
        DueLane(webhook_id, max(due_at, not_before, probe_at))
        for webhook_id, not_before, probe_at, due_at in direct.rows(_DUE_LANES, {"me": me})
    ]


def own_lanes(direct: RawConnection, me: str, webhook_ids: Iterable[int]) -> list[int]:
    """Become the lanes' owner; the answer is those that are ours now: others have another process."""
    sql = _OWN if direct.sqlite else _OWN_POSTGRESQL
    return [webhook_id for (webhook_id,) in direct.rows(sql, {"me": me, "ids": webhook_ids})]


def disown_lanes(direct: RawConnection, me: str, webhook_ids: Iterable[int], now: int) -> set[int]:
    """Give lanes up unless rows are due: checked in the same statement, so no wake-up is lost."""
    parameters = {"me": me, "ids": webhook_ids, "now": now}
    return {webhook_id for (webhook_id,) in direct.rows(_DISOWN, parameters)}


def leave_lanes(direct: RawConnection, me: str, webhook_ids: Iterable[int]) -> None:
    """Give lanes up although rows are due: whoever looks next has them."""
    direct.run(_LEAVE, {"me": me, "ids": webhook_ids})
