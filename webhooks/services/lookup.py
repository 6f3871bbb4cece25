"""What services share: names, rows that have to be there, lines for the audit log."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import orm

from webhooks.audit import record
from webhooks.db.models import Location, Webhook
from webhooks.errors import Conflict, NotFound
from webhooks.services.parsing import Named, parse

_Row = TypeVar("_Row")
_Deletable = TypeVar("_Deletable", Location, Webhook)


def now() -> datetime:
    """Return the present time, UTC."""
    return datetime.now(UTC)


def checked_name(name: str) -> str:
    """Return a name without blanks around it. Raises Invalid where it cannot be one."""
    return parse(Named, {"name": name}).name


def live_location(session: orm.Session, name: str) -> Location:
    """Read the location of this name. Raises NotFound where there is none, or it was deleted."""
    query = sa.select(Location).where(Location.name == name, Location.deleted_at.is_(None))
    return row_or_404(session.scalar(query), f"location {name!r}")


def row_or_404(row: _Row | None, what: str) -> _Row:
    """Return the row. Raises NotFound where there is none; ``what`` ends the sentence."""
    if row is None:
        raise NotFound(f"There is no {what}.")
    return row


def unless_deleted(row: _Deletable | None) -> _Deletable | None:
    """Return a location or a webhook, or None where it was deleted."""
    return None if row is None or row.deleted_at is not None else row


def existing_webhook(webhook: Webhook | None, webhook_id: int) -> Webhook:
    """Return the webhook. Raises Conflict where it was deleted."""
    if webhook is None or webhook.deleted_at is not None:
        raise Conflict(f"Webhook {webhook_id} does not exist any more.")
    return webhook


def note(session: orm.Session, changed: Location | Webhook, text: str) -> None:
    """Write a line about a location or a webhook to the audit log."""
    if isinstance(changed, Location):
        record(session.connection(), f"location {changed.id}", f"{changed.name}: {text}")
    else:
        record(session.connection(), f"webhook {changed.id}", text)


def newest(
    session: orm.Session, query: sa.Select[_Row], number: Any, before: int | None, count: int
) -> tuple[Sequence[_Row], int | None]:
    """Read up to ``count`` rows with a ``number``, their id's column, below ``before``, newest first.

    Returns them and the ``before`` to go on with, None at the end.
    """
    if before is not None:
        query = query.where(number < before)
    rows = session.scalars(query.order_by(number.desc()).limit(count + 1)).all()
    return rows[:count], getattr(rows[count - 1], number.key) if len(rows) > count else None
