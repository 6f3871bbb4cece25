"""Search of a part of a name, which no index has: the texts of events are read."""

import json
from typing import Final

import sqlalchemy as sa
from sqlalchemy import orm

from webhooks.db.models import Delivery, Event
from webhooks.db.raw import among

_PARTIES: Final = ("from_name", "to_name", "from", "to")


def named(session: orm.Session, name: str, ids: list[int]) -> list[int]:
    """Return those of the deliveries whose event has the name on one of its sides."""
    query = sa.select(Delivery.id, Event.body).join(Event, Event.id == Delivery.event_id)
    rows = session.execute(query.where(among(session, Delivery.id, ids))).all() if ids else []
    return [id_ for id_, body in rows if _has_name(body, name)]


def _has_name(body: str, name: str) -> bool:
    # Most texts are passed over unread. One with escapes may have the name all the same.
    if "\\" not in body and name not in body.casefold():
        return False
    event = json.loads(body)
    return any(name in str(event.get(field) or "").casefold() for field in _PARTIES)
