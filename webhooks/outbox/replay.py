"""Send again: one delivery, or all deliveries of a webhook from a span of time, a replay.

A replay may be long work. It is a row with its progress, goes on in bounded batches that let deliveries
through between them, may be paused and cancelled, and survives a restart. A delivery is never copied: the
same row is opened again, its attempts count on, and the ``webhook-id`` stays.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from webhooks.db import row_errors
from webhooks.db.raw import text_with_ids
from webhooks.db.store import now_ms
from webhooks.outbox import streams
from webhooks.outbox.streams import RETRYING

BATCH: Final = 500
DEFAULT: Final = ("failed", RETRYING)
RESENDABLE: Final = ("failed", RETRYING, "expired", "dropped", "delivered")


# first_try_at 0: an old message must not hold back its call's later ones, nor is it too old for its webhook:
# somebody wants it sent.
_REOPEN = text_with_ids("""
    UPDATE delivery SET state = :state, reason = NULL, settled_at = NULL, tries = 0, claims = 0,
           first_try_at = 0, due_at = :now
    WHERE id IN :ids AND (state IN ('failed', 'expired', 'dropped', 'delivered')
                          OR (state = 'pending' AND tries > 0 AND owner IS NULL))
""")
_COUNT: Final = """
    SELECT count(*) FROM (SELECT 1 FROM delivery WHERE {rows} AND created_at >= :since
                          AND created_at < :until ORDER BY {order} LIMIT :most) AS counted
"""
_ALL: Final = 1 << 62
_LAST = sa.text("SELECT coalesce(max(id), 0) FROM delivery")
_BEGIN = sa.text("""
    INSERT INTO replay (webhook_id, state, states, since_ms, until_ms, last_id, cursor_id, total, done,
                        created_at)
    VALUES (:webhook_id, 'running', :states, :since, :until, :last, 0, :total, 0, :now) RETURNING id
""")
_TASK = """
    SELECT r.*, w.state AS webhook_state, w.resume, w.deleted_at
    FROM replay r JOIN webhook w ON w.id = r.webhook_id WHERE r.id = :id
"""
# Not by time in the query: the clock may have been set back, and then ids and times run apart.
_ROWS: Final = """
    SELECT id, created_at FROM delivery WHERE {rows} AND id <= :last ORDER BY {order} LIMIT :most
"""
# What a replay opened in one of its states may be in the next of them by the time that it comes to that.
_TRIED_SINCE = text_with_ids("""
    SELECT DISTINCT delivery_id FROM attempt WHERE delivery_id IN :ids AND started_at >= :begun
""")
_ADVANCE = sa.text("""
    UPDATE replay SET states = :states, cursor_id = :cursor, done = done + :done, state = :state,
           finished_at = :finished WHERE id = :id
""")


@dataclass(frozen=True, slots=True)
class Span:
    """Deliveries of these states, accepted from ``since_ms`` up to ``until_ms`` (since 1970)."""

    since_ms: int
    until_ms: int
    states: tuple[str, ...] = DEFAULT


def reopen(connection: sa.Connection, ids: Sequence[int], state: str) -> int:
    """Open deliveries again as ``state``, pending or held: settled ones, and those that wait for a retry.

    Returns how many were opened.
    """
    if not ids:
        return 0
    return connection.execute(_REOPEN, {"ids": list(ids), "state": state, "now": now_ms()}).rowcount


def count(connection: sa.Connection, webhook_id: int, span: Span, most: int = _ALL) -> int:
    """Count the deliveries that a replay would send again, of each state no further than ``most``."""
    total = 0
    for state in span.states:
        parameters = {
            "webhook_id": webhook_id, "since": span.since_ms, "until": span.until_ms, "most": most,
        }  # fmt: skip
        query = select_count(state, sqlite=connection.dialect.name == "sqlite")
        total += connection.execute(sa.text(query), parameters).scalar_one()
    return total


def select_count(state: str, *, sqlite: bool) -> str:
    """The query that counts a replay's rows of one state: the newest first, as one begins by what is new."""
    part = streams.below(state, str(_ALL), sqlite=sqlite)
    return _COUNT.format(rows=part.rows, order=part.order)


def select_rows(state: str, *, sqlite: bool) -> str:
    """The query for a replay's next rows of one state."""
    part = streams.above(state, ":cursor", sqlite=sqlite)
    return _ROWS.format(rows=part.rows, order=part.order)


def begin(connection: sa.Connection, webhook_id: int, span: Span) -> int:
    """Insert a replay to be done. Returns its id. What fails after this moment is not part of it."""
    return int(
        connection.execute(
            _BEGIN,
            {
                "webhook_id": webhook_id, "states": ",".join(span.states), "since": span.since_ms,
                "until": span.until_ms,
                "last": connection.execute(_LAST).scalar_one(), "total": count(connection, webhook_id, span),
                "now": now_ms(),
            },
        ).scalar_one()
    )  # fmt: skip


def step(connection: sa.Connection, replay_id: int) -> bool:
    """Open one batch again. Returns whether there is more to do. Two processes may share one replay."""
    sqlite = connection.dialect.name == "sqlite"
    lock = "" if sqlite else " FOR UPDATE OF r"
    task = connection.execute(sa.text(_TASK + lock), {"id": replay_id}).one()
    if task.state != "running":
        return False
    if task.deleted_at is not None:
        _advance(connection, task, states=task.states, cursor_id=task.cursor_id, state="cancelled")
        return False
    current, _, later = task.states.partition(",")
    parameters = {
        "webhook_id": task.webhook_id, "cursor": task.cursor_id, "last": task.last_id, "most": BATCH,
    }  # fmt: skip
    rows = connection.execute(sa.text(select_rows(current, sqlite=sqlite)), parameters).all()
    chosen = [row.id for row in rows if task.since_ms <= row.created_at < task.until_ms]
    tried = set(connection.execute(_TRIED_SINCE, {"ids": chosen, "begun": task.created_at}).scalars())
    chosen = [id_ for id_ in chosen if id_ not in tried]
    state = target_state(task.webhook_state, task.resume)
    opened: list[int] = []
    row_errors.each(
        connection.begin_nested,
        chosen,
        lambda some: opened.append(reopen(connection, some, state)),
        lambda id_, error: row_errors.leave("delivery", id_, error),
    )
    done = sum(opened)
    if len(rows) == BATCH:
        _advance(connection, task, states=task.states, cursor_id=rows[-1].id, done=done, state="running")
    elif later:  # the next of the states, from its start
        _advance(connection, task, states=later, cursor_id=0, done=done, state="running")
    else:
        _advance(connection, task, states=task.states, cursor_id=0, done=done, state="done")
    return bool(later) or len(rows) == BATCH


def target_state(webhook_state: str, resume: str | None) -> str:
    """The state that a delivery is opened as: a paused or disabled webhook holds."""
    return "pending" if webhook_state == "active" and resume is None else "held"


def _advance(
    connection: sa.Connection, task: Any, *, states: str, cursor_id: int, state: str, done: int = 0
) -> None:
    """Write a replay's progress down. ``states``: what is still to do; ``done``: rows of this batch."""
    finished = None if state == "running" else now_ms()
    connection.execute(
        _ADVANCE,
        {"id": task.id, "states": states, "cursor": cursor_id, "done": done, "state": state,
         "finished": finished},
    )  # fmt: skip
