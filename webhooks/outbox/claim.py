"""The outbox in SQL, the way out: claiming what is due. Each call is in the caller's transaction.

The order of a call (``thread_key``) is kept by these rules. A claim takes the earliest open rows of a call as
one chain. A row behind an earlier open one is pushed to the time when that may have changed, so that it is
not scanned again meanwhile. 30 seconds after the first attempt of the earlier row began, the row is free.
"""

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from webhooks.db.raw import RawConnection
from webhooks.db.row_errors import leave, left_alone
from webhooks.outbox.set_aside import set_aside

HOLD: Final = 30_000  # ms: a message that keeps failing holds back its call for this long
LEASE: Final = 30_000  # ms: the backstop for a lost machine; a dead process is found by its lock
_LOOK_AGAIN: Final = 1_000  # ms: for a row that somebody made due although its recording is not ready
POISON: Final = 3  # claims that never came to an end: sent alone from then on
_SCAN: Final = 400
_CHAIN: Final = 50


@dataclass(slots=True)
class Row:
    """A claimed delivery. ``media`` is the recording that a link in its body is to lead to."""

    id: int
    event_id: int
    thread_key: str
    created_at: int
    first_try_at: int
    claims: int
    tries: int
    attempts: int
    message_id: str = ""
    body: str = ""
    media: str | None = None
    waits: bool = False


class _Open(NamedTuple):
    """A row that is pending or held, as the claim sees it. ``head`` is the id of its call's first."""

    id: int
    event_id: int
    thread_key: str
    created_at: int
    first_try_at: int | None
    claims: int
    tries: int
    attempts: int
    state: str
    due_at: int
    owner: str | None
    head: int = 0


Chain = list[Row]


@dataclass(slots=True)
class Claim:
    """``chains``: to be sent, each in one thread and in order. ``more``: due rows may be left.

    ``pushed``: calls with rows that wait for an earlier one; ``expired``: ids of rows that were too old.
    """

    chains: list[Chain] = field(default_factory=list)
    pushed: set[str] = field(default_factory=set)
    expired: list[int] = field(default_factory=list)
    more: bool = False


# Some of these say more than they need, so that SQLite, which knows no statistics, takes ix_delivery_open:
# it would look for min(id) in the index by state, through all open rows of the lane, and for the rows of a
# call in the index of due times. tests/outbox/test_plans.py reads the plans.
_CANDIDATES = """
    SELECT d.id, d.event_id, d.thread_key, d.created_at, d.first_try_at, d.claims, d.tries, d.attempts,
           d.state, d.due_at, d.owner,
           (SELECT o.id FROM delivery o WHERE o.webhook_id = :w AND o.thread_key = d.thread_key
            AND o.state IN ('pending', 'held') ORDER BY o.thread_key, o.id LIMIT 1) AS head
    FROM delivery d WHERE d.webhook_id = :w AND d.state = 'pending' AND d.due_at <= :now
    ORDER BY d.due_at, d.id LIMIT :scan
"""
_FIRST = """
    SELECT d.id, d.event_id, d.thread_key, d.created_at, d.first_try_at, d.claims, d.tries, d.attempts,
           d.state, d.due_at, d.owner,
           (SELECT o.id FROM delivery o WHERE o.webhook_id = d.webhook_id AND o.thread_key = d.thread_key
            AND o.state IN ('pending', 'held') ORDER BY o.thread_key, o.id LIMIT 1) AS head,
           d.webhook_id,
           (SELECT n.id FROM delivery n WHERE n.webhook_id = d.webhook_id AND n.state = 'pending'
            AND n.due_at <= :now ORDER BY n.due_at, n.id LIMIT 1 OFFSET 1) AS next
    FROM lane l JOIN delivery d ON d.id = (
        SELECT f.id FROM delivery f WHERE f.webhook_id = l.webhook_id AND f.state = 'pending'
        AND f.due_at <= :now ORDER BY f.due_at, f.id LIMIT 1)
    WHERE l.webhook_id IN :ids
"""
_OF_CALL = """
    SELECT id, event_id, thread_key, created_at, first_try_at, claims, tries, attempts, state, due_at, owner
    FROM delivery WHERE webhook_id = :w AND thread_key = :t AND state IN ('pending', 'held')
    AND NOT (first_try_at IS NOT NULL AND first_try_at <= :past AND due_at > :now)
    ORDER BY id LIMIT :chain
"""
_PUSH = "UPDATE delivery SET due_at = :due WHERE id = :id"
_TAKE = """
    UPDATE delivery SET owner = :me, due_at = :lease, claims = claims + 1,
           first_try_at = coalesce(first_try_at, :now) WHERE id IN :ids
"""
_EXPIRE = """
    UPDATE delivery SET state = 'expired', reason = 'older than the webhook''s maximum age',
           settled_at = :now, owner = NULL WHERE id IN :ids
"""
_BODIES = """
    SELECT e.id, e.message_id, e.body, m.id, m.state
    FROM event e LEFT JOIN media m ON m.event_id = e.id WHERE e.id IN :ids
"""
_WAIT = """
    UPDATE delivery SET due_at = :due, first_try_at = coalesce(first_try_at, created_at) WHERE id = :id
"""


@dataclass(frozen=True, slots=True)
class ClaimLimits:
    """What a lane may have: at most ``rows`` rows in at most ``chains`` chains. ``max_age`` in ms."""

    rows: int
    chains: int
    max_age: int | None = None

    def oldest(self, now: int) -> int | None:
        return None if self.max_age is None else now - self.max_age


def claim_heads(
    direct: RawConnection, me: str, now: int, wishes: Mapping[int, ClaimLimits]
) -> dict[int, Claim | None]:
    """The first due row of each lane that has no more than it may have, all lanes in one query.

    None: not so simple, the lane wants a ``claim`` of its own. Who is not in the answer has nothing due.
    """
    claims: dict[int, Claim | None] = {}
    left = left_alone("delivery")
    for *columns, webhook_id, following in direct.rows(_FIRST, {"ids": wishes, "now": now}) if wishes else ():
        row, wish = _Open(*columns), wishes[webhook_id]
        oldest = wish.oldest(now)
        simple = (
            row.head == row.id
            and row.id not in left
            and row.owner != me
            and (following is None or wish.rows == 1)
        )
        if simple and (oldest is None or row.created_at >= oldest):
            claims[webhook_id] = Claim([[_row(row, now)]], more=following is not None)
        else:
            claims[webhook_id] = None
    return claims


def claim(direct: RawConnection, me: str, webhook_id: int, now: int, wish: ClaimLimits) -> Claim:
    """Choose due rows of a lane that we own; ``take`` makes them ours, in the same transaction."""
    rows, oldest = wish.rows, wish.oldest(now)
    left = left_alone("delivery")
    scan = min(_SCAN, rows * 4 + 16) + len(left)
    parameters: dict[str, object] = {"w": webhook_id, "now": now, "scan": scan}
    found = [_Open(*row) for row in direct.rows(_CANDIDATES, parameters)]
    calls: dict[str, list[_Open]] = {}
    for row in found:
        if row.id not in left:
            calls.setdefault(row.thread_key, []).append(row)
    taken = Claim(more=len(found) == scan)
    for call, candidates in calls.items():
        if len(taken.chains) >= wish.chains or rows <= 0:
            taken.more = True
            break
        alone = len(candidates) == 1 and candidates[0].head == candidates[0].id
        if not alone:
            parameters = {"w": webhook_id, "t": call, "now": now, "past": now - HOLD,
                          "chain": _CHAIN + len(left)}  # fmt: skip
            every = [_Open(*row) for row in direct.rows(_OF_CALL, parameters)]
            open_rows = [row for row in every if row.id not in left]
        chain, old, again = _free(candidates if alone else open_rows, me, now, rows, oldest)
        taken.expired += old
        if chain:
            taken.chains.append(chain)
            rows -= len(chain)
        gone = {row.id for row in chain} | set(old)
        waiting = [{"id": row.id, "due": again} for row in candidates if row.id not in gone]
        if waiting:
            _push(direct, waiting)
            taken.pushed.add(call)
    if taken.expired:
        direct.each(
            taken.expired,
            lambda some: direct.run(_EXPIRE, {"ids": some, "now": now}),
            lambda one, error: set_aside(direct, one, error, now),
        )
        taken.more = True  # rows behind an expired one are free now
    return taken


def take(direct: RawConnection, me: str, claims: Sequence[Claim], now: int) -> None:
    """Make what was chosen ours, and read what is to be sent. What waits for its recording is left out."""
    rows = [row for claim in claims for chain in claim.chains for row in chain]
    if not rows:
        return
    found = direct.rows(_BODIES, {"ids": {row.event_id for row in rows}})
    events = {id_: event for id_, *event in found}
    for row in rows:
        row.message_id, row.body, media, state = events[row.event_id]
        row.media = media if state == "ready" else None
        row.waits = state == "waiting"
    if any(row.waits for row in rows):
        for claim in claims:
            claim.chains = _without_waiting(direct, claim.chains, now)
        rows = [row for claim in claims for chain in claim.chains for row in chain]
    refused: set[int] = set()

    def take_some(some: Sequence[Row]) -> None:
        ids = [row.id for row in some]
        direct.run(_TAKE, {"ids": ids, "me": me, "lease": now + LEASE, "now": now})

    def refuse(row: Row, error: Exception) -> None:
        refused.add(row.id)
        set_aside(direct, row.id, error, now)

    direct.each(rows, take_some, refuse)
    if refused:
        for claim in claims:
            kept = [[row for row in chain if row.id not in refused] for chain in claim.chains]
            claim.chains = [chain for chain in kept if chain]


def _push(direct: RawConnection, pushed: Sequence[dict[str, int]]) -> None:
    direct.each(
        pushed,
        lambda some: direct.many(_PUSH, some),
        lambda one, error: leave("delivery", one["id"], error),
    )


def _free(
    rows: Sequence[_Open], me: str, now: int, most: int, oldest: int | None
) -> tuple[Chain, list[int], int]:
    """Of a call's open rows in order: those that may go now, those too old to go, and when the others
    may be looked at again."""
    chain: Chain = []
    expired: list[int] = []
    for row in rows:
        # A row of another owner's that is due has outlived its lease: its machine is lost.
        if row.owner == me or row.state != "pending" or row.due_at > now:
            if row.first_try_at is None or row.first_try_at + HOLD > now:
                holds = (row.due_at, (row.first_try_at or now) + HOLD)
                return chain, expired, min((time for time in holds if time > now), default=now + HOLD)
        elif oldest is not None and row.created_at < oldest and row.first_try_at != 0:
            expired.append(row.id)
        else:
            poison = row.claims - row.tries >= POISON
            if len(chain) >= most or (poison and chain):
                break
            chain.append(_row(row, now))
            if poison:
                break
    return chain, expired, now + LEASE  # they wait for this chain, whose settling pulls them


def _row(row: _Open, now: int) -> Row:
    first = now if row.first_try_at is None else row.first_try_at
    return Row(
        row.id, row.event_id, row.thread_key, row.created_at, first, row.claims + 1, row.tries, row.attempts
    )


def _without_waiting(direct: RawConnection, chains: Iterable[Chain], now: int) -> list[Chain]:
    """What may go before a recording is ready. A row whose recording waits is not due, whoever made it so
    (a resume, a resend, a clock that was set); from its acceptance on it holds back its call like one that
    fails: for 30 seconds."""
    kept: list[Chain] = []
    for chain in chains:
        free = next((place for place, row in enumerate(chain) if row.waits), len(chain))
        for row in chain[free:]:
            parameters = {"id": row.id, "due": now + _LOOK_AGAIN}
            error = direct.tried(functools.partial(direct.run, _WAIT if row.waits else _PUSH, parameters))
            if error is not None:
                leave("delivery", row.id, error)
        kept += [chain[:free]] if free else []
    return kept
