"""The outbox in SQL: which lanes are due, claim, settle, release. Each call is in the caller's transaction.

The order of a call (``thread_key``) is kept by these rules. A claim takes the earliest open rows of a call as
one chain. A row behind an earlier open one is pushed to the time when that may have changed, so that it is
not scanned again meanwhile. 30 seconds after the first attempt of the earlier row began, the row is free.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from webhooks.delivery.attempt import Outcome
from webhooks.direct import Direct

HOLD: Final = 30_000  # ms: a message that keeps failing holds back its call for this long
LEASE: Final = 30_000  # ms: the backstop for a lost machine; a dead process is found by its lock
NOT_YET: Final = 200_000_000_000_000  # ms: due when the recording is ready, which sets another time
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

    chains: list[Chain]
    pushed: set[str]
    expired: list[int]
    more: bool


@dataclass(frozen=True, slots=True)
class DueLane:
    """A lane that nobody else owns. ``due_at`` in ms."""

    webhook_id: int
    due_at: int


# Some of these say more than they need, so that SQLite, which knows no statistics, takes ix_delivery_open:
# it would look for min(id) in the index by state, through all open rows of the lane, and for the rows of a
# call in the index of due times. tests/delivery/test_plans.py reads the plans.
_DUE_LANES = """
    SELECT webhook_id, not_before, due_at FROM (
        SELECT l.webhook_id, l.not_before,
               (SELECT d.due_at FROM delivery d WHERE d.webhook_id = l.webhook_id AND d.state = 'pending'
                ORDER BY d.due_at LIMIT 1) AS due_at
        FROM lane l JOIN webhook w ON w.id = l.webhook_id
        WHERE (l.owner IS NULL OR l.owner = :me) AND w.state = 'active' AND w.deleted_at IS NULL
    ) AS lanes WHERE due_at IS NOT NULL
"""
_OWN = "UPDATE lane SET owner = :me WHERE webhook_id = :w AND (owner IS NULL OR owner = :me)"
_DISOWN = """
    UPDATE lane SET owner = NULL WHERE webhook_id = :w AND owner = :me AND NOT EXISTS (
        SELECT 1 FROM delivery d WHERE d.webhook_id = :w AND d.state = 'pending' AND d.due_at <= :now)
"""
_DISOWN_ALL = "UPDATE lane SET owner = NULL WHERE owner = :me"
_CANDIDATES = """
    SELECT d.id, d.event_id, d.thread_key, d.created_at, d.first_try_at, d.claims, d.tries, d.attempts,
           d.state, d.due_at, d.owner,
           (SELECT o.id FROM delivery o WHERE o.webhook_id = :w AND o.thread_key = d.thread_key
            AND o.state IN ('pending', 'held') ORDER BY o.thread_key, o.id LIMIT 1) AS head
    FROM delivery d WHERE d.webhook_id = :w AND d.state = 'pending' AND d.due_at <= :now
    ORDER BY d.due_at, d.id LIMIT :scan
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
_COME = """
    UPDATE delivery SET due_at = :now, first_try_at = CASE WHEN first_try_at = 0 THEN 0 END
    WHERE event_id = :e AND state = 'pending' AND owner IS NULL AND tries = 0
"""
_CALLS = "SELECT webhook_id, thread_key FROM delivery WHERE event_id = :e AND state = 'pending'"
_DELIVERED = """
    UPDATE delivery SET state = 'delivered', reason = NULL, settled_at = :now, owner = NULL,
           tries = tries + 1, attempts = attempts + 1 WHERE id IN :ids AND owner = :me RETURNING id
"""
_RETRY = """
    UPDATE delivery SET owner = NULL, due_at = :due, tries = tries + :counts, attempts = attempts + 1,
           claims = claims - 1 + :counts WHERE id = :id AND owner = :me
"""
_FAILED = """
    UPDATE delivery SET state = 'failed', reason = :reason, settled_at = :now, owner = NULL,
           tries = tries + 1, attempts = attempts + 1 WHERE id = :id AND owner = :me
"""
_RELEASE = """
    UPDATE delivery SET owner = NULL, due_at = :due, claims = claims - 1,
           first_try_at = CASE WHEN tries = 0 AND first_try_at > 0 THEN NULL ELSE first_try_at END
    WHERE id = :id AND owner = :me
"""
_PULL = f"""
    UPDATE delivery SET due_at = :due WHERE id IN (
        SELECT id FROM delivery WHERE webhook_id = :w AND thread_key = :t AND state IN ('pending', 'held')
        AND state <> 'held' AND owner IS NULL AND tries = 0 AND +due_at > :due
        ORDER BY thread_key, id LIMIT {_SCAN})
"""
_LOG = """
    INSERT INTO attempt (delivery_id, n, started_at, milliseconds, status, error, request_headers,
                         response_headers, response_body)
    VALUES (:delivery_id, :n, :started_at, :milliseconds, :status, :error, :request_headers,
            :response_headers, :response_body)
"""


def due_lanes(direct: Direct, me: str, now: int) -> list[DueLane]:
    """Active lanes with pending rows that are free or ours, each with the time of its first due row."""
    return [
        DueLane(webhook_id, max(due_at, not_before))
        for webhook_id, not_before, due_at in direct.rows(_DUE_LANES, {"me": me})
    ]


def own_lane(direct: Direct, me: str, webhook_id: int) -> bool:
    """Become the lane's owner; False where another process is."""
    return direct.run(_OWN, {"me": me, "w": webhook_id}) == 1


def disown_lane(direct: Direct, me: str, webhook_id: int, now: int) -> bool:
    """Give a lane up unless rows are due: checked in the same statement, so no wake-up is lost."""
    return direct.run(_DISOWN, {"me": me, "w": webhook_id, "now": now}) == 1


def disown_all(direct: Direct, me: str) -> None:
    direct.run(_DISOWN_ALL, {"me": me})


def claim(
    direct: Direct,
    me: str,
    webhook_id: int,
    now: int,
    *,
    rows: int,
    chains: int,
    max_age: int | None,
) -> Claim:
    """Take at most ``rows`` rows in at most ``chains`` chains of a lane that we own. ``max_age`` in ms."""
    scan = min(_SCAN, rows * 4 + 16)
    parameters: dict[str, object] = {"w": webhook_id, "now": now, "scan": scan}
    found = [_Open(*row) for row in direct.rows(_CANDIDATES, parameters)]
    calls: dict[str, list[_Open]] = {}
    for row in found:
        calls.setdefault(row.thread_key, []).append(row)
    oldest = None if max_age is None else now - max_age
    taken = Claim([], set(), [], len(found) == scan)
    for call, candidates in calls.items():
        if len(taken.chains) >= chains or rows <= 0:
            taken.more = True
            break
        alone = len(candidates) == 1 and candidates[0].head == candidates[0].id
        if not alone:
            parameters = {"w": webhook_id, "t": call, "now": now, "past": now - HOLD, "chain": _CHAIN}
            open_rows = [_Open(*row) for row in direct.rows(_OF_CALL, parameters)]
        chain, old, again = _free(candidates if alone else open_rows, me, now, rows, oldest)
        taken.expired += old
        if chain:
            taken.chains.append(chain)
            rows -= len(chain)
        gone = {row.id for row in chain} | set(old)
        waiting = [{"id": row.id, "due": again} for row in candidates if row.id not in gone]
        if waiting:
            direct.many(_PUSH, waiting)
            taken.pushed.add(call)
    if taken.expired:
        direct.run(_EXPIRE, {"ids": taken.expired, "now": now})
        taken.more = True  # rows behind an expired one are free now
    _add_bodies(direct, taken.chains)
    if any(row.waits for chain in taken.chains for row in chain):
        taken.chains = _without_waiting(direct, taken.chains, now)
    ids = [row.id for chain in taken.chains for row in chain]
    if ids:
        direct.run(_TAKE, {"ids": ids, "me": me, "lease": now + LEASE, "now": now})
    return taken


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


def _add_bodies(direct: Direct, chains: Iterable[Chain]) -> None:
    rows = [row for chain in chains for row in chain]
    if not rows:
        return
    found = direct.rows(_BODIES, {"ids": {row.event_id for row in rows}})
    events = {id_: event for id_, *event in found}
    for row in rows:
        row.message_id, row.body, media, state = events[row.event_id]
        row.media = media if state == "ready" else None
        row.waits = state == "waiting"


def _without_waiting(direct: Direct, chains: Iterable[Chain], now: int) -> list[Chain]:
    """What may go before a recording is ready. A row whose recording waits is not due, whoever made it so
    (a resume, a resend, a clock that was set); from its acceptance on it holds back its call like one that
    fails: for 30 seconds."""
    kept: list[Chain] = []
    for chain in chains:
        free = next((place for place, row in enumerate(chain) if row.waits), len(chain))
        for row in chain[free:]:
            direct.run(_WAIT if row.waits else _PUSH, {"id": row.id, "due": now + _LOOK_AGAIN})
        kept += [chain[:free]] if free else []
    return kept


def media_is_there(direct: Direct, event_id: int, now: int) -> None:
    """An event's recording is ready, or never will be: its deliveries are due, and so are the later ones of
    the call that waited for them."""
    direct.run(_COME, {"e": event_id, "now": now})
    for webhook_id, thread_key in direct.rows(_CALLS, {"e": event_id}):
        pull(direct, webhook_id, thread_key, now)


def settle_delivered(direct: Direct, me: str, outcomes: Sequence[Outcome], now: int) -> int:
    """Settle successes; the answer is how many of them were still ours."""
    if not outcomes:
        return 0
    ids = [outcome.delivery_id for outcome in outcomes]
    ours = {id_ for (id_,) in direct.rows(_DELIVERED, {"ids": ids, "me": me, "now": now})}
    _log(direct, [outcome for outcome in outcomes if outcome.delivery_id in ours])
    return len(ours)


def settle_retry(direct: Direct, me: str, outcome: Outcome, due: int) -> bool:
    """An attempt failed, or was interrupted (then it counts as no try); the next is due at ``due``."""
    counts = 0 if outcome.interrupted else 1
    parameters = {"id": outcome.delivery_id, "me": me, "due": due, "counts": counts}
    return _log_if(direct, direct.run(_RETRY, parameters) == 1, outcome)


def settle_failed(direct: Direct, me: str, outcome: Outcome, now: int) -> bool:
    """The last attempt failed."""
    parameters = {"id": outcome.delivery_id, "me": me, "now": now, "reason": outcome.error}
    return _log_if(direct, direct.run(_FAILED, parameters) == 1, outcome)


def release(direct: Direct, me: str, rows: Iterable[tuple[Row, int]]) -> None:
    """Give back rows that were claimed and not begun, each with its new due time."""
    parameters = [{"id": row.id, "me": me, "due": due} for row, due in rows]
    if parameters:
        direct.many(_RELEASE, parameters)


def pull(direct: Direct, webhook_id: int, thread_key: str, due: int) -> bool:
    """The rows of a call that were pushed behind an earlier one are due at ``due``: at once where that one
    came to its end, else when it is tried again. False: there may be more of them."""
    return direct.run(_PULL, {"w": webhook_id, "t": thread_key, "due": due}) < _SCAN


def _log_if(direct: Direct, ours: bool, outcome: Outcome) -> bool:
    if ours:
        _log(direct, [outcome])
    return ours


def _log(direct: Direct, outcomes: Sequence[Outcome]) -> None:
    if outcomes:
        direct.many(
            _LOG,
            [
                {
                    "delivery_id": outcome.delivery_id,
                    "n": outcome.n,
                    "started_at": outcome.started_at,
                    "milliseconds": round(outcome.seconds * 1000),
                    "status": outcome.status,
                    "error": outcome.error,
                    "request_headers": outcome.request_headers,
                    "response_headers": outcome.response_headers,
                    "response_body": outcome.response_body,
                }
                for outcome in outcomes
            ],
        )
