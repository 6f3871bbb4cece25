"""The outbox in SQL, the way back: settle what was claimed, release what was not begun or was deferred.

Each call is in the caller's transaction. Claimed rows are changed only if ``owner_id`` still owns them: after
a lost lease another worker may have them.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from webhooks.db.raw import RawConnection
from webhooks.db.row_errors import leave
from webhooks.outbound.sender import Outcome
from webhooks.outbox.rows import ClaimedRow
from webhooks.outbox.set_aside import set_aside

_RELEASE_ROWS: Final = 400

_DELIVERED = """
    UPDATE delivery SET state = 'delivered', reason = NULL, settled_at = :now, owner = NULL,
           tries = tries + 1, attempts = attempts + 1 WHERE id IN :ids AND owner = :owner_id RETURNING id
"""
_RETRY = """
    UPDATE delivery SET owner = NULL, due_at = :due, tries = tries + :counts, attempts = attempts + 1,
           claims = claims - 1 + :counts WHERE id = :id AND owner = :owner_id
"""
_FAILED = """
    UPDATE delivery SET state = :state, reason = :reason, settled_at = :now, owner = NULL,
           tries = tries + 1, attempts = attempts + 1 WHERE id = :id AND owner = :owner_id
"""
_RELEASE_UNSENT = """
    UPDATE delivery SET owner = NULL, due_at = :due, claims = claims - 1,
           first_try_at = CASE WHEN tries = 0 AND first_try_at > 0 THEN NULL ELSE first_try_at END
    WHERE id = :id AND owner = :owner_id
"""
# The states twice, the order and the ``+`` are for SQLite's choice of the index, see ``claim``.
DEFERRED_ROWS = f"""
    SELECT id FROM delivery WHERE webhook_id = :webhook_id AND thread_key = :thread_key
    AND state IN ('pending', 'held')
    AND state <> 'held' AND owner IS NULL AND tries = 0 AND +due_at > :due
    ORDER BY thread_key, id LIMIT {_RELEASE_ROWS}
"""
_RELEASE_DEFERRED = """
    UPDATE delivery SET due_at = :due WHERE id IN :ids AND state = 'pending' AND owner IS NULL AND tries = 0
"""
ROWS_OF_EVENT = """
    SELECT id FROM delivery WHERE event_id = :event_id AND state = 'pending' AND owner IS NULL AND tries = 0
"""
_RELEASE_ROWS_OF_EVENT = """
    UPDATE delivery SET due_at = :now, first_try_at = CASE WHEN first_try_at = 0 THEN 0 END
    WHERE id IN :ids AND state = 'pending' AND owner IS NULL AND tries = 0
"""
_SET_REASON = "UPDATE delivery SET reason = :reason WHERE id = :id"
_CALLS_OF_EVENT = (
    "SELECT webhook_id, thread_key FROM delivery WHERE event_id = :event_id AND state = 'pending'"
)
_LOG = """
    INSERT INTO attempt (delivery_id, n, started_at, milliseconds, status, error, request_headers,
                         response_headers, response_body)
    VALUES (:delivery_id, :n, :started_at, :milliseconds, :status, :error, :request_headers,
            :response_headers, :response_body)
"""


def settle_delivered(
    direct: RawConnection, owner_id: str, outcomes: Sequence[Outcome], *, now_ms: int
) -> int:
    """Settle successes. Returns how many rows the owner still had."""
    if not outcomes:
        return 0
    parameters = {
        "ids": [outcome.delivery_id for outcome in outcomes], "owner_id": owner_id, "now": now_ms
    }  # fmt: skip
    owned = {id_ for (id_,) in direct.rows(_DELIVERED, parameters)}
    _log(direct, [outcome for outcome in outcomes if outcome.delivery_id in owned])
    return len(owned)


def settle_retry(direct: RawConnection, owner_id: str, outcome: Outcome, *, due_ms: int) -> bool:
    """Settle a failure that is tried again at ``due_ms``. An interrupted attempt counts as no try.

    Returns whether the owner still had the row.
    """
    counts = 0 if outcome.interrupted else 1
    parameters = {"id": outcome.delivery_id, "owner_id": owner_id, "due": due_ms, "counts": counts}
    return _log_if(direct, direct.run(_RETRY, parameters) == 1, outcome)


def settle_failed(direct: RawConnection, owner_id: str, outcome: Outcome, *, now_ms: int) -> bool:
    """Settle the failure of the last attempt. Returns whether the owner still had the row."""
    return _end(direct, owner_id, outcome, "failed", outcome.error, now_ms)


def settle_expired(direct: RawConnection, owner_id: str, outcome: Outcome, *, now_ms: int) -> bool:
    """Settle what its sender found too late to send. Returns whether the owner still had the row."""
    return _end(direct, owner_id, outcome, "expired", outcome.error, now_ms)


def settle_failed_test(direct: RawConnection, owner_id: str, outcome: Outcome, *, now_ms: int) -> bool:
    """Settle a test event's failure: it is dropped, for nothing is lost.

    Returns whether the owner still had the row.
    """
    return _end(direct, owner_id, outcome, "dropped", f"The test failed. {outcome.error}", now_ms)


def _end(
    direct: RawConnection, owner_id: str, outcome: Outcome, state: str, reason: str | None, now_ms: int
) -> bool:
    parameters = {
        "id": outcome.delivery_id, "owner_id": owner_id, "now": now_ms, "state": state, "reason": reason
    }  # fmt: skip
    return _log_if(direct, direct.run(_FAILED, parameters) == 1, outcome)


def release_unsent(
    direct: RawConnection, owner_id: str, rows: Iterable[tuple[ClaimedRow, int]], now_ms: int
) -> None:
    """Give back rows that were claimed and not begun, each with the time (ms) when it is due."""
    direct.each(
        [{"id": row.id, "owner_id": owner_id, "due": due_ms} for row, due_ms in rows],
        lambda some: direct.many(_RELEASE_UNSENT, some),
        lambda parameters, error: set_aside(direct, int(str(parameters["id"])), error, now_ms),
    )


def release_deferred(direct: RawConnection, webhook_id: int, thread_key: str, due_ms: int) -> bool:
    """Make a call's deferred rows due at ``due_ms``: at once where the earlier row is settled, else with its
    retry. Returns False if the batch limit was hit and more may remain.
    """
    parameters = {"webhook_id": webhook_id, "thread_key": thread_key, "due": due_ms}
    rows = direct.rows(DEFERRED_ROWS, parameters)
    direct.each(
        [id_ for (id_,) in rows],
        lambda some: direct.run(_RELEASE_DEFERRED, {"ids": some, "due": due_ms}),
        lambda id_, error: leave("delivery", id_, error),
    )
    return len(rows) < _RELEASE_ROWS


def release_event(direct: RawConnection, event_id: int, now_ms: int) -> None:
    """Make an event's deliveries due: its recording is ready, or never will be.

    So are the later rows of the call, which waited for them.
    """
    direct.each(
        [id_ for (id_,) in direct.rows(ROWS_OF_EVENT, {"event_id": event_id})],
        lambda some: direct.run(_RELEASE_ROWS_OF_EVENT, {"ids": some, "now": now_ms}),
        lambda id_, error: leave("delivery", id_, error),
    )
    for webhook_id, thread_key in direct.rows(_CALLS_OF_EVENT, {"event_id": event_id}):
        release_deferred(direct, webhook_id, thread_key, now_ms)


def set_reason(direct: RawConnection, delivery_id: int, reason: str) -> None:
    """Say something of a delivery beside its state."""
    direct.run(_SET_REASON, {"id": delivery_id, "reason": reason})


def _log_if(direct: RawConnection, owned: bool, outcome: Outcome) -> bool:
    if owned:
        _log(direct, [outcome])
    return owned


def _log(direct: RawConnection, outcomes: Sequence[Outcome]) -> None:
    logged = [outcome for outcome in outcomes if not outcome.unlogged]
    if logged:
        direct.many(
            _LOG,
            [
                {
                    "delivery_id": outcome.delivery_id,
                    "n": outcome.number,
                    "started_at": outcome.started_ms,
                    "milliseconds": round(outcome.duration_s * 1000),
                    "status": outcome.http_status,
                    "error": outcome.error,
                    "request_headers": outcome.request_headers,
                    "response_headers": outcome.response_headers,
                    "response_body": outcome.response_body,
                }
                for outcome in logged
            ],
        )
