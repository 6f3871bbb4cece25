"""What locations, webhooks and keys share: names, tokens, rows that have to be there, notes of a change."""

from datetime import UTC, datetime
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy import orm

from webhooks.audit import record
from webhooks.db.models import Location, Webhook
from webhooks.errors import Conflict, NotFound
from webhooks.parsing import Named, parse

_Row = TypeVar("_Row")


def now() -> datetime:
    return datetime.now(UTC)


def checked_name(name: str) -> str:
    """The name as it is kept. Raises Invalid."""
    return parse(Named, {"name": name}).name


def live_location(session: orm.Session, name: str) -> Location:
    found = session.scalar(sa.select(Location).where(Location.name == name, Location.deleted_at.is_(None)))
    if found is None:
        raise NotFound(f"There is no location {name!r}.")
    return found


def row_or_404(row: _Row | None, what: str, number: int | str) -> _Row:
    """The row, or NotFound that names what is not there."""
    if row is None:
        raise NotFound(f"There is no {what} {number}.")
    return row


def existing_webhook(webhook: Webhook | None, webhook_id: int) -> Webhook:
    """The webhook, or Conflict where it was deleted."""
    if webhook is None or webhook.deleted_at is not None:
        raise Conflict(f"Webhook {webhook_id} does not exist any more.")
    return webhook


def note(session: orm.Session, changed: Location | Webhook, text: str) -> None:
    if isinstance(changed, Location):
        record(session.connection(), f"location {changed.id}", f"{changed.name}: {text}")
    else:
        record(session.connection(), f"webhook {changed.id}", text)
