"""What the small outboxes share, those of alerts and of what Zapier is told: a claim, and the next try.

A row is claimed before it is sent, so that of several processes one sends it.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final, TypeVar

import sqlalchemy as sa

from webhooks.db.models import Notice, Unsubscription
from webhooks.db.store import Store, now_ms
from webhooks.services.lookup import now

GIVEN_UP_AFTER: Final = timedelta(hours=24)
_LEASE: Final = timedelta(seconds=60)
_DELAYS_S: Final = (10, 60, 300, 900, 1800)  # the last one again and again
_AT_A_TIME: Final = 10

Row = TypeVar("Row", Notice, Unsubscription)


def claim_due(store: Store, model: type[Row], waits: str = "true", **values: str) -> Iterator[Row]:
    """Claim what is due, each row when it is asked for, until its lease ends.

    ``waits`` is the condition, in SQL, of rows that wait to be sent; ``values`` are its parameters. A row's
    ``tries`` are those before this one. Raises ReadFailed and Unavailable as the Store does.
    """
    any_due = f"SELECT 1 FROM {model.__tablename__} WHERE {waits} AND due_at <= :now LIMIT 1"
    if not store.finds(any_due, now=now_ms(), **values):
        return
    condition = sa.text(waits).bindparams(**values)
    due = sa.select(model).where(model.due_at <= now(), condition)
    with store.read() as session:
        rows = session.scalars(due.order_by(model.due_at).limit(_AT_A_TIME)).all()
    for row in rows:
        claim = (
            sa.update(model)
            .where(model.id == row.id, model.tries == row.tries, condition)
            .values(tries=row.tries + 1, due_at=now() + _LEASE)
        )
        with store.write() as session:
            is_claimed = bool(getattr(session.execute(claim), "rowcount", 0))
        if is_claimed:
            yield row


def delay(tries: int) -> timedelta:
    """How long to wait after a failure, of which there were ``tries`` before."""
    return timedelta(seconds=_DELAYS_S[min(tries, len(_DELAYS_S) - 1)])
