"""The outbox in SQL, the way back: what was claimed is delivered, tried again, failed, or given back.

Each call is in the caller's transaction, and changes only rows that are still ours.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from webhooks.db.raw import RawConnection
from webhooks.db.row_errors import leave
from webhooks.db.store import now_ms
from webhooks.outbound.attempt import Outcome
from webhooks.outbox.claim import Row
from webhooks.outbox.set_aside import set_aside

_PULLED: Final = 400

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
    SELECT id FROM delivery WHERE webhook_id = :w AND thread_key = :t AND state IN ('pending', 'held')
    AND state <> 'held' AND owner IS NULL AND tries = 0 AND +due_at > :due
    ORDER BY thread_key, id LIMIT {_PULLED}
"""
_PULL_THESE = """
    UPDATE delivery SET due_at = :due WHERE id IN :ids AND state = 'pending' AND owner IS NULL AND tries = 0
"""
_COME = "SELECT id FROM delivery WHERE event_id = :e AND state = 'pending' AND owner IS NULL AND tries = 0"
_COME_THESE = """
    UPDATE delivery SET due_at = :now, first_try_at = CASE WHEN first_try_at = 0 THEN 0 END
    WHERE id IN :ids AND state = 'pending' AND owner IS NULL AND tries = 0
"""
_NOTE = "UPDATE delivery SET reason = :reason WHERE id = :id"
_CALLS = "SELECT webhook_id, thread_key FROM delivery WHERE event_id = :e AND state = 'pending'"
_LOG = """
    INSERT INTO attempt (delivery_id, n, started_at, milliseconds, status, error, request_headers,
                         response_headers, response_body)
    VALUES (:delivery_id, :n, :started_at, :milliseconds, :status, :error, :request_headers,
            :response_headers, :response_body)
"""


def settle_delivered(direct: RawConnection, me: str, outcomes: Sequence[Outcome], now: int) -> int:
    """Settle successes; the answer is how many of them were still ours."""
    if not outcomes:
        return 0
    ids = [outcome.delivery_id for outcome in outcomes]
    ours = {id_ for (id_,) in direct.rows(_DELIVERED, {"ids": ids, "me": me, "now": now})}
    _log(direct, [outcome for outcome in outcomes if outcome.delivery_id in ours])
    return len(ours)


def settle_retry(direct: RawConnection, me: str, outcome: Outcome, due: int) -> bool:
    """An attempt failed, or was interrupted (then it counts as no try); the next is due at ``due``."""
    counts = 0 if outcome.interrupted else 1
    parameters = {"id": outcome.delivery_id, "me": me, "due": due, "counts": counts}
    return _log_if(direct, direct.run(_RETRY, parameters) == 1, outcome)


def settle_failed(direct: RawConnection, me: str, outcome: Outcome, now: int) -> bool:
    """The last attempt failed."""
    parameters = {"id": outcome.delivery_id, "me": me, "now": now, "reason": outcome.error}
    return _log_if(direct, direct.run(_FAILED, parameters) == 1, outcome)


def release(direct: RawConnection, me: str, rows: Iterable[tuple[Row, int]]) -> None:
    """Give back rows that were claimed and not begun, each with its new due time."""
    direct.each(
        [{"id": row.id, "me": me, "due": due} for row, due in rows],
        lambda some: direct.many(_RELEASE, some),
        lambda one, error: set_aside(direct, int(str(one["id"])), error, now_ms()),
    )


def pull(direct: RawConnection, webhook_id: int, thread_key: str, due: int) -> bool:
    """The rows of a call that were pushed behind an earlier one are due at ``due``: at once where that one
    came to its end, else when it is tried again. False: there may be more of them."""
    found = direct.rows(_PULL, {"w": webhook_id, "t": thread_key, "due": due})
    direct.each(
        [id_ for (id_,) in found],
        lambda some: direct.run(_PULL_THESE, {"ids": some, "due": due}),
        lambda one, error: leave("delivery", one, error),
    )
    return len(found) < _PULLED


def media_is_there(direct: RawConnection, event_id: int, now: int) -> None:
    """An event's recording is ready, or never will be: its deliveries are due, and so are the later ones of
    the call that waited for them."""
    direct.each(
        [id_ for (id_,) in direct.rows(_COME, {"e": event_id})],
        lambda some: direct.run(_COME_THESE, {"ids": some, "now": now}),
        lambda one, error: leave("delivery", one, error),
    )
    for webhook_id, thread_key in direct.rows(_CALLS, {"e": event_id}):
        pull(direct, webhook_id, thread_key, now)


def note(direct: RawConnection, delivery_id: int, reason: str) -> None:
    """Say something of a delivery beside its state."""
    direct.run(_NOTE, {"id": delivery_id, "reason": reason})


def _log_if(direct: RawConnection, ours: bool, outcome: Outcome) -> bool:
    if ours:
        _log(direct, [outcome])
    return ours


def _log(direct: RawConnection, outcomes: Sequence[Outcome]) -> None:
    kept = [outcome for outcome in outcomes if not outcome.unlogged]
    if kept:
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
                for outcome in kept
            ],
        )
