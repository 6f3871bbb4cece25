"""Hold, send or drop open deliveries when their webhook is paused, disabled, resumed or deleted.

The webhook's row says what its deliveries should be. ``apply_batch`` moves them there, a bounded number in
each transaction. So a change of 100,000 rows holds nobody up, and one cut short by a crash is taken up again.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from webhooks.db import row_errors
from webhooks.db.meta import config_changed
from webhooks.db.raw import RawConnection
from webhooks.db.store import Store, now_ms
from webhooks.outbox.set_aside import set_aside
from webhooks.outbox.streams import above

BATCH: Final = 500

OUT_OF_STEP = sa.text("""
    SELECT w.id FROM webhook w
    WHERE (w.deleted_at IS NOT NULL OR w.state <> 'active' OR w.resume IS NOT NULL) AND (
        w.resume IS NOT NULL AND w.deleted_at IS NULL
        OR EXISTS (SELECT 1 FROM delivery d
                   WHERE d.webhook_id = w.id AND d.state = 'pending' AND d.owner IS NULL)
        OR w.deleted_at IS NOT NULL
           AND EXISTS (SELECT 1 FROM delivery d WHERE d.webhook_id = w.id AND d.state = 'held'))
""")
_WEBHOOK_STATE: Final = "SELECT state, resume, deleted_at FROM webhook WHERE id = :webhook_id"


@dataclass(frozen=True, slots=True)
class _Move:
    """A change of state, and the states that it applies to."""

    change: str
    states: tuple[str, ...]

    @property
    def update(self) -> str:
        states = ", ".join(f"'{state}'" for state in self.states)
        return f"UPDATE delivery SET {self.change} WHERE id IN :ids AND state IN ({states}) AND owner IS NULL"


_DELETE: Final = _Move(
    "state = 'dropped', reason = 'webhook deleted', settled_at = :now", ("pending", "held")
)
_HOLD: Final = _Move("state = 'held', reason = NULL", ("pending",))
_SEND: Final = _Move(
    "state = 'pending', due_at = :now, first_try_at = CASE WHEN first_try_at = 0 THEN 0 END", ("held",)
)
_DROP: Final = _Move("state = 'dropped', reason = 'dropped on resume', settled_at = :now", ("held",))
_MARK_RESUMED: Final = """
    UPDATE webhook SET state = 'active', reason = NULL, resume = NULL WHERE id = :webhook_id
"""
_RESET_HEALTH: Final = """
    UPDATE lane SET failures = 0, broken = 0, not_before = 0, probe_at = 0, failing_since = NULL,
           last_error = NULL
    WHERE webhook_id = :webhook_id
"""


def select_free(state: str, *, sqlite: bool) -> str:
    """The query for a webhook's oldest rows in a state that nobody has claimed."""
    part = above(state, sqlite=sqlite)
    return f"SELECT id FROM delivery WHERE {part.rows} AND owner IS NULL ORDER BY {part.order} LIMIT :most"


def out_of_step(connection: sa.Connection) -> list[int]:
    """Webhooks whose deliveries are not yet where they should be."""
    return list(connection.execute(OUT_OF_STEP).scalars())


def apply_batch(direct: RawConnection, webhook_id: int) -> int | None:
    """Move one batch. Returns how many rows there were to move, at most ``BATCH``; None if none."""
    webhook = direct.row(_WEBHOOK_STATE, {"webhook_id": webhook_id})
    assert webhook is not None, "a webhook's row stays"
    state, resume, deleted_at = webhook
    if deleted_at is not None:
        move = _DELETE
    elif resume:
        move = _SEND if resume == "send" else _DROP
    elif state != "active":
        move = _HOLD
    else:
        return None
    now = now_ms()
    refused = row_errors.left_alone("delivery")
    rows: list[int] = []
    for of_state in move.states:
        wanted = {"webhook_id": webhook_id, "most": BATCH + len(refused) - len(rows)}
        rows += [id_ for (id_,) in direct.rows(select_free(of_state, sqlite=direct.sqlite), wanted)]
    ids = [id_ for id_ in rows if id_ not in refused][:BATCH]
    direct.each(
        ids,
        lambda some: direct.run(move.update, {"ids": some, "now": now}),
        lambda id_, error: set_aside(direct, id_, error, now),
    )
    if len(ids) == BATCH:
        return len(ids)
    if resume and deleted_at is None:
        # In the transaction of the last batch: an event that came meanwhile was held with the others.
        direct.run(_MARK_RESUMED, {"webhook_id": webhook_id})
        direct.run(_RESET_HEALTH, {"webhook_id": webhook_id})
        config_changed(direct)
    return len(ids) or None


def apply_webhook_state(store: Store, webhook_id: int) -> int:
    """Move all of a webhook's deliveries. Returns how many."""
    total = 0
    while True:
        with store.direct() as direct:
            moved = apply_batch(direct, webhook_id)
        total += moved or 0
        if moved is None or moved < BATCH:
            return total


def apply_webhook_states(store: Store, webhook_ids: Collection[int]) -> None:
    """Move all deliveries of webhooks, of which most have none to move."""
    with store.read() as session:
        due = {*out_of_step(session.connection())}.intersection(webhook_ids)
    for webhook_id in due:
        apply_webhook_state(store, webhook_id)
