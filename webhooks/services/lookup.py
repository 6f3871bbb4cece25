"""What locations, webhooks and keys share: names, tokens, rows that have to be there, notes of a change."""

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy import orm

from webhooks.audit import record
from webhooks.db.models import Location, Webhook
from webhooks.errors import Invalid, NotFound


def now() -> datetime:
    return datetime.now(UTC)


def checked_name(name: str) -> str:
    name = name.strip()
    if not 1 <= len(name) <= 100 or not name.isprintable():
        raise Invalid("A name has 1 to 100 printable characters.", "name")
    return name


def live_location(session: orm.Session, name: str) -> Location:
    found = session.scalar(sa.select(Location).where(Location.name == name, Location.deleted_at.is_(None)))
    if found is None:
        raise NotFound(f"There is no location {name!r}.")
    return found


def note(session: orm.Session, changed: Location | Webhook, text: str) -> None:
    if isinstance(changed, Location):
        record(session.connection(), f"location {changed.id}", f"{changed.name}: {text}")
    else:
        record(session.connection(), f"webhook {changed.id}", text)
