"""Facts about how deliveries and webhooks stand, read for many at once; the words are made of them."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import orm

from webhooks.db.models.outbox import NOT_YET_MS
from webhooks.db.raw import rows_with_ids
from webhooks.db.store import now_ms
from webhooks.dispatcher.circuit_breaker import CIRCUIT_AFTER
from webhooks.outbox.rows import HOLD_MS
from webhooks.services.delivery_state import Facts
from webhooks.services.stats import MOST
from webhooks.services.webhook_state import WebhookFacts

_MOST_IN_LIST: Final = 1_000  # where there is one for each of many webhooks

# Waiting is what is pending, not under way, and not without its recording.
_WAITING: Final = f"state = 'pending' AND owner IS NULL AND due_at < {NOT_YET_MS}"
# Orders, and a range with one state in it, choose the index: see ``outbox/claim`` and ``outbox/streams``.
DELIVERIES: Final = """
    SELECT d.id, d.state, d.reason, d.webhook_id, d.due_at, d.tries, d.attempts,
           d.owner IS NOT NULL AS sending, e.origin, m.state AS media,
           m.error AS media_error, a.error, a.status AS http_status, a.milliseconds AS took_ms,
           w.state AS webhook_state, w.reason AS webhook_reason, w.options ->> 'rate' AS rate,
           l.not_before, l.probe_at, l.broken, l.failing_since, l.last_error,
           CASE WHEN d.state = 'pending' AND d.tries = 0 THEN
               (SELECT o.id FROM delivery o WHERE o.webhook_id = d.webhook_id AND o.thread_key = d.thread_key
                AND o.state IN ('pending', 'held') AND o.id < d.id
                AND (o.first_try_at IS NULL OR o.first_try_at > :hold_begin)
                ORDER BY o.thread_key, o.id LIMIT 1) END AS earlier
    FROM delivery d JOIN event e ON e.id = d.event_id JOIN webhook w ON w.id = d.webhook_id
    JOIN lane l ON l.webhook_id = d.webhook_id
    LEFT JOIN media m ON m.event_id = d.event_id
    LEFT JOIN attempt a ON a.delivery_id = d.id AND a.n = d.attempts
    WHERE d.id IN :ids
"""
WEBHOOKS: Final = f"""
    SELECT w.id, w.state, w.reason, w.resume, w.deleted_at, l.not_before, l.probe_at, l.broken,
           l.failing_since, l.last_error,
           (SELECT d.due_at FROM delivery d WHERE d.webhook_id = w.id AND d.state = 'pending'
            AND d.owner IS NULL AND d.due_at < {NOT_YET_MS} ORDER BY d.due_at LIMIT 1) AS first_due,
           (SELECT created_at FROM delivery WHERE webhook_id = w.id AND state <= 'failed'
            AND (state, id) > ('failed', 0) ORDER BY state, id LIMIT 1) AS lost_since,
           EXISTS (SELECT 1 FROM traffic WHERE webhook_id = w.id) AS tried,
           (SELECT count(*) FROM (SELECT 1 FROM delivery WHERE webhook_id = w.id AND {_WAITING}
            ORDER BY due_at LIMIT :most) AS waiting_rows) AS waiting,
           (SELECT count(*) FROM (SELECT 1 FROM delivery WHERE webhook_id = w.id AND state <= 'failed'
            AND (state, id) > ('failed', 0) ORDER BY state, id LIMIT :most) AS lost_rows) AS lost
    FROM webhook w JOIN lane l ON l.webhook_id = w.id WHERE w.id IN :ids
"""
WAITING_OF_WEBHOOK: Final = f"""
    SELECT count(*) FROM (
        SELECT 1 FROM delivery WHERE webhook_id = :webhook_id AND {_WAITING}
        ORDER BY due_at LIMIT :most) AS waiting_rows
"""


def of_deliveries(session: orm.Session, ids: Iterable[int], *, counted: bool = False) -> dict[int, Facts]:
    """Read how deliveries stand. ``counted``: with how many others of their webhook wait."""
    wanted = list(ids)
    hold_begin = now_ms() - HOLD_MS
    rows = rows_with_ids(session, DELIVERIES, wanted, hold_begin=hold_begin) if wanted else []
    waiting: dict[int, int] = {}
    if counted:
        waiting = {id_: count_waiting(session, id_) for id_ in {row.webhook_id for row in rows}}
    return {row.id: _facts(row, waiting.get(row.webhook_id)) for row in rows}


def of_webhooks(session: orm.Session, ids: Sequence[int]) -> dict[int, WebhookFacts]:
    """Read how webhooks stand."""
    most = MOST if len(ids) == 1 else _MOST_IN_LIST
    rows = rows_with_ids(session, WEBHOOKS, ids, most=most + 1) if ids else []
    return {row.id: _webhook_facts(row, most) for row in rows}


def count_waiting(session: orm.Session, webhook_id: int) -> int:
    """Count a webhook's deliveries that "try now" would send, up to ``MOST + 1``."""
    query = sa.text(WAITING_OF_WEBHOOK)
    return int(session.execute(query, {"webhook_id": webhook_id, "most": MOST + 1}).scalar_one())


def _facts(row: Any, waiting: int | None) -> Facts:
    return Facts(
        state=row.state, webhook_id=row.webhook_id, due_at=_moment(row.due_at), reason=row.reason,
        error=row.error, http_status=row.http_status, took_ms=row.took_ms,
        sending=bool(row.sending), tries=row.tries, attempts=row.attempts,
        is_test=row.origin == "test", converting=row.media == "waiting",
        recording_error=row.media_error if row.media in ("ready", "failed") else None, earlier_id=row.earlier,
        webhook_state=row.webhook_state, webhook_reason=row.webhook_reason,
        rate=None if row.rate is None else float(row.rate), waiting=waiting,
        hold_until=_moment_or_none(row.not_before), probe_at=_probe_at(row),
        failing_since=_moment_or_none(row.failing_since), webhook_error=row.last_error,
    )  # fmt: skip


def _webhook_facts(row: Any, most: int) -> WebhookFacts:
    return WebhookFacts(
        state=row.state, reason=row.reason, resuming=row.resume is not None,
        deleted=row.deleted_at is not None, tried=bool(row.tried) or row.failing_since is not None,
        failing_since=_moment_or_none(row.failing_since), error=row.last_error,
        hold_until=_moment_or_none(row.not_before), probe_at=_probe_at(row),
        first_due_at=_moment_or_none(row.first_due), waiting=row.waiting, lost=row.lost,
        lost_since=_moment_or_none(row.lost_since), most=most,
    )  # fmt: skip


def _probe_at(row: Any) -> datetime | None:
    """When an open circuit lets the next attempt out."""
    return _moment(row.probe_at) if row.broken >= CIRCUIT_AFTER else None


def _moment(ms: int) -> datetime:
    # A recording that is not ready has a due time beyond all calendars' use, and none that is shown.
    return datetime.fromtimestamp(min(ms, NOT_YET_MS) / 1000, UTC)


def _moment_or_none(ms: int | None) -> datetime | None:
    return _moment(ms) if ms else None
