"""The outbox in SQL, the way out: claim what is due. Each call is in the caller's transaction.

A claim has two steps: ``choose_first`` or ``choose`` reads which rows of a lane may be sent, and
``marking.mark_claimed`` makes them the owner's. A due row that waits for an earlier one of its call is
deferred: its due time is set to when that may have changed, so that it is not scanned again meanwhile.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final

from webhooks.db.raw import RawConnection
from webhooks.db.row_errors import leave, left_alone
from webhooks.outbox.call_order import split
from webhooks.outbox.rows import HOLD_MS, OpenRow
from webhooks.outbox.set_aside import set_aside

_SCAN_ROWS: Final = 400
_CALL_ROWS: Final = 50

_COLUMNS: Final = """
    d.id, d.event_id, d.thread_key, d.created_at, d.first_try_at, d.claims, d.tries, d.attempts, d.state,
    d.due_at, d.owner
"""
_HEAD: Final = """
    (SELECT o.id FROM delivery o WHERE o.webhook_id = d.webhook_id AND o.thread_key = d.thread_key
     AND o.state IN ('pending', 'held') ORDER BY o.thread_key, o.id LIMIT 1) AS head
"""
# Some of these say more than they need, so that SQLite, which knows no statistics, takes ix_delivery_open:
# it would look for min(id) in the index by state, through all open rows of the lane, and for the rows of a
# call in the index of due times. tests/outbox/test_plans.py reads the plans.
DUE_ROWS: Final = f"""
    SELECT {_COLUMNS}, {_HEAD}
    FROM delivery d WHERE d.webhook_id = :webhook_id AND d.state = 'pending' AND d.due_at <= :now
    ORDER BY d.due_at, d.id LIMIT :scan
"""
FIRST_DUE_ROWS: Final = f"""
    SELECT {_COLUMNS}, {_HEAD}, d.webhook_id,
           (SELECT n.id FROM delivery n WHERE n.webhook_id = d.webhook_id AND n.state = 'pending'
            AND n.due_at <= :now ORDER BY n.due_at, n.id LIMIT 1 OFFSET 1) AS next
    FROM lane l JOIN delivery d ON d.id = (
        SELECT f.id FROM delivery f WHERE f.webhook_id = l.webhook_id AND f.state = 'pending'
        AND f.due_at <= :now ORDER BY f.due_at, f.id LIMIT 1)
    WHERE l.webhook_id IN :ids
"""
OPEN_ROWS_OF_CALL: Final = f"""
    SELECT {_COLUMNS}
    FROM delivery d WHERE d.webhook_id = :webhook_id AND d.thread_key = :thread_key
    AND d.state IN ('pending', 'held')
    AND NOT (d.first_try_at IS NOT NULL AND d.first_try_at <= :hold_begin AND d.due_at > :now)
    ORDER BY d.id LIMIT :most
"""
DEFER: Final = "UPDATE delivery SET due_at = :due WHERE id IN :ids"
_EXPIRE: Final = """
    UPDATE delivery SET state = 'expired', reason = 'older than the webhook''s maximum age',
           settled_at = :now, owner = NULL WHERE id IN :ids
"""


@dataclass(frozen=True, slots=True)
class ClaimLimits:
    """What may be claimed of a lane: at most ``rows`` rows, of at most ``batches`` calls."""

    rows: int
    batches: int
    max_age_ms: int | None = None

    def oldest_ms(self, now_ms: int) -> int | None:
        """Deliveries accepted before this time are too old to send; None: none is."""
        return None if self.max_age_ms is None else now_ms - self.max_age_ms


@dataclass(slots=True)
class Claim:
    """What was chosen of a lane: batches of calls, each to be sent in order by one thread."""

    batches: list[list[OpenRow]] = field(default_factory=list)
    deferred_calls: set[str] = field(default_factory=set)
    expired: list[int] = field(default_factory=list)
    may_have_more: bool = False  # due rows may be left


def choose_first(
    direct: RawConnection, owner_id: str, limits: Mapping[int, ClaimLimits], now_ms: int
) -> dict[int, Claim | None]:
    """Choose the first due row of each lane that may have it and no other, all lanes in one query.

    None: the lane has more, or the row cannot be sent; use ``choose``. Lanes without a due row are left out.
    """
    if not limits:
        return {}
    claims: dict[int, Claim | None] = {}
    refused = left_alone("delivery")
    for *columns, webhook_id, next_id in direct.rows(FIRST_DUE_ROWS, {"ids": limits, "now": now_ms}):
        row, lane_limits = OpenRow(*columns), limits[webhook_id]
        oldest_ms = lane_limits.oldest_ms(now_ms)
        sendable = row.id not in refused and _is_sendable_alone(row, owner_id, oldest_ms)
        all_it_may_have = next_id is None or lane_limits.rows == 1
        claims[webhook_id] = (
            Claim([[row]], may_have_more=next_id is not None) if sendable and all_it_may_have else None
        )
    return claims


def choose(direct: RawConnection, owner_id: str, webhook_id: int, limits: ClaimLimits, now_ms: int) -> Claim:
    """Choose due rows of a lane, whole calls in the order in which they are due.

    Rows too old to send are set to expired, rows that wait for an earlier one are deferred.
    """
    refused = left_alone("delivery")
    due, has_more = _due_rows(direct, webhook_id, limits.rows, len(refused), now_ms)
    calls: dict[str, list[OpenRow]] = {}
    for row in due:
        if row.id not in refused:
            calls.setdefault(row.thread_key, []).append(row)
    claim = Claim(may_have_more=has_more)
    rows_left, oldest_ms = limits.rows, limits.oldest_ms(now_ms)
    for call, due_of_call in calls.items():
        if len(claim.batches) >= limits.batches or rows_left <= 0:
            claim.may_have_more = True
            break
        if len(due_of_call) == 1 and _is_sendable_alone(due_of_call[0], owner_id, oldest_ms):
            claim.batches.append(due_of_call)
            rows_left -= 1
            continue
        alone = len(due_of_call) == 1 and due_of_call[0].head_id == due_of_call[0].id
        open_rows = due_of_call if alone else _open_rows(direct, webhook_id, call, refused, now_ms)
        batch, expired, recheck_ms = split(
            open_rows, owner_id, now_ms=now_ms, limit=rows_left, oldest_ms=oldest_ms
        )
        claim.expired += expired
        if batch:
            claim.batches.append(batch)
            rows_left -= len(batch)
        gone = {row.id for row in batch}.union(expired)
        waiting = [row.id for row in due_of_call if row.id not in gone]
        if waiting:
            _defer(direct, waiting, recheck_ms)
            claim.deferred_calls.add(call)
    if claim.expired:
        _expire(direct, claim.expired, now_ms)
        claim.may_have_more = True  # rows behind an expired one are free now
    return claim


def _is_sendable_alone(row: OpenRow, owner_id: str, oldest_ms: int | None) -> bool:
    """Whether a due row is its call's first, and neither in flight here nor too old."""
    return (
        row.head_id == row.id and row.owner != owner_id and (oldest_ms is None or row.created_ms >= oldest_ms)
    )


def _due_rows(
    direct: RawConnection, webhook_id: int, wanted: int, refused: int, now_ms: int
) -> tuple[list[OpenRow], bool]:
    """A lane's earliest due rows, and whether there may be more.

    Mostly little more than what is wanted is read. Where few of those are the first of their calls, the
    others wait for earlier ones and will be deferred: then many, so that few claims get past them.
    """
    due: list[OpenRow] = []
    scan = 0
    for scan in (wanted + 16 + refused, _SCAN_ROWS + refused):
        parameters: dict[str, object] = {"webhook_id": webhook_id, "now": now_ms, "scan": scan}
        due = [OpenRow(*row) for row in direct.rows(DUE_ROWS, parameters)]
        heads = sum(row.head_id == row.id for row in due)
        if len(due) < scan or heads * 4 >= len(due):
            break
    return due, len(due) == scan


def _open_rows(
    direct: RawConnection, webhook_id: int, call: str, refused: AbstractSet[int], now_ms: int
) -> list[OpenRow]:
    """A call's open rows in order. Left out are those whose hold is over and that wait for a retry."""
    parameters = {
        "webhook_id": webhook_id, "thread_key": call, "now": now_ms, "hold_begin": now_ms - HOLD_MS,
        "most": _CALL_ROWS + len(refused),
    }  # fmt: skip
    rows = [OpenRow(*row) for row in direct.rows(OPEN_ROWS_OF_CALL, parameters)]
    return [row for row in rows if row.id not in refused]


def _defer(direct: RawConnection, ids: Sequence[int], due_ms: int) -> None:
    direct.each(
        ids,
        lambda some: direct.run(DEFER, {"ids": some, "due": due_ms}),
        lambda id_, error: leave("delivery", id_, error),
    )


def _expire(direct: RawConnection, ids: Sequence[int], now_ms: int) -> None:
    direct.each(
        ids,
        lambda some: direct.run(_EXPIRE, {"ids": some, "now": now_ms}),
        lambda id_, error: set_aside(direct, id_, error, now_ms),
    )
