"""The second step of a claim: make the rows that were chosen the owner's, and read what is to be sent."""

import functools
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

from webhooks.db.raw import RawConnection
from webhooks.db.row_errors import leave
from webhooks.outbox.claim import DEFER, Claim
from webhooks.outbox.rows import LEASE_MS, ClaimedRow, OpenRow
from webhooks.outbox.set_aside import set_aside

_RECHECK_MS: Final = 1_000  # for a row that somebody made due although its recording is not ready
PAYLOADS: Final = """
    SELECT e.id, e.message_id, e.body, e.origin, m.id, m.state
    FROM event e LEFT JOIN media m ON m.event_id = e.id WHERE e.id IN :ids
"""
# From its acceptance on a row that waits for its recording holds back its call: hence first_try_at.
_DEFER_FOR_MEDIA: Final = """
    UPDATE delivery SET due_at = :due, first_try_at = coalesce(first_try_at, created_at) WHERE id IN :ids
"""
_MARK_CLAIMED: Final = """
    UPDATE delivery SET owner = :owner_id, due_at = :lease_end, claims = claims + 1,
           first_try_at = coalesce(first_try_at, :now) WHERE id IN :ids
"""


class _Payload(NamedTuple):
    """What an event's deliveries send."""

    message_id: str
    body: str
    origin: str
    media_id: str | None
    media_state: str | None


def mark_claimed(
    direct: RawConnection, owner_id: str, claims: Sequence[Claim], now_ms: int
) -> list[list[list[ClaimedRow]]]:
    """Make what was chosen the owner's, and read what is to be sent.

    Returns the batches of each claim, in its place. They lack the rows that wait for a recording, and those
    that the database refused.
    """
    batches = [claim.batches for claim in claims]
    chosen = _flat(batches)
    if not chosen:
        return [[] for _ in claims]
    rows = direct.rows(PAYLOADS, {"ids": {row.event_id for row in chosen}})
    payloads = {event_id: _Payload(*columns) for event_id, *columns in rows}
    if any(payload.media_state == "waiting" for payload in payloads.values()):
        batches = [_without_waiting(direct, some, payloads, now_ms) for some in batches]
        chosen = _flat(batches)
    refused: set[int] = set()

    def mark(some: Sequence[OpenRow]) -> None:
        parameters = {"owner_id": owner_id, "lease_end": now_ms + LEASE_MS, "now": now_ms}
        direct.run(_MARK_CLAIMED, {**parameters, "ids": [row.id for row in some]})

    def refuse(row: OpenRow, error: Exception) -> None:
        refused.add(row.id)
        set_aside(direct, row.id, error, now_ms)

    direct.each(chosen, mark, refuse)
    return [_loaded(some, payloads, refused, now_ms) for some in batches]


def _flat(batches: Sequence[Sequence[Sequence[OpenRow]]]) -> list[OpenRow]:
    return [row for some in batches for batch in some for row in batch]


def _loaded(
    batches: Sequence[Sequence[OpenRow]],
    payloads: Mapping[int, _Payload],
    refused: AbstractSet[int],
    now_ms: int,
) -> list[list[ClaimedRow]]:
    loaded = [
        [_claimed(row, payloads[row.event_id], now_ms) for row in batch if row.id not in refused]
        for batch in batches
    ]
    return [batch for batch in loaded if batch]


def _claimed(row: OpenRow, payload: _Payload, now_ms: int) -> ClaimedRow:
    return ClaimedRow(
        row.id,
        row.thread_key,
        now_ms if row.first_try_ms is None else row.first_try_ms,
        row.tries,
        row.attempts,
        payload.message_id,
        payload.body,
        payload.media_id if payload.media_state == "ready" else None,
        payload.origin == "test",
    )


def _without_waiting(
    direct: RawConnection,
    batches: Sequence[Sequence[OpenRow]],
    payloads: Mapping[int, _Payload],
    now_ms: int,
) -> list[list[OpenRow]]:
    """Cut batches off before a row whose recording is not ready, and defer that row and those behind it.

    Such a row is not due, whoever made it so: a resume, a resend, a clock that was set. From its acceptance
    on it holds back its call like one that fails, for 30 seconds.
    """
    kept: list[list[OpenRow]] = []
    for batch in batches:
        waits = [payloads[row.event_id].media_state == "waiting" for row in batch]
        count = waits.index(True) if True in waits else len(batch)
        for row, row_waits in zip(batch[count:], waits[count:], strict=True):
            statement = _DEFER_FOR_MEDIA if row_waits else DEFER
            parameters = {"ids": [row.id], "due": now_ms + _RECHECK_MS}
            error = direct.tried(functools.partial(direct.run, statement, parameters))
            if error is not None:
                leave("delivery", row.id, error)
        if count:
            kept.append(list(batch[:count]))
    return kept
