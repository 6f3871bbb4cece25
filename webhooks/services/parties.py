"""Searching the parties of calls: by the end of a number, which is indexed, or by a part of a name."""

import json
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import orm

from webhooks.db.models import Delivery, Event, EventNumber
from webhooks.events.phone_numbers import number_key

_NUMBERS: Final = 20  # different numbers with the same end
_PARTIES: Final = ("from_name", "to_name", "from", "to")


def numbers_that_end(session: orm.Session, number: str) -> list[str]:
    """Return the keys of at most 20 numbers that end as this one."""
    start = number_key(number)
    # The 0 of 089… is not there in +4989…
    return [] if start is None else keys_that_start(session, start.rstrip("0") or start)


def keys_that_start(session: orm.Session, start: str) -> list[str]:
    """Return at most 20 keys that start so, by skipping through their index."""
    keys: list[str] = []
    above: Any = EventNumber.number >= start
    while len(keys) < _NUMBERS:
        query = sa.select(EventNumber.number).where(above).order_by(EventNumber.number).limit(1)
        key = session.scalar(query)
        if key is None or not key.startswith(start):
            break
        keys.append(key)
        above = EventNumber.number > key
    return keys


def named(session: orm.Session, name: str, ids: list[int]) -> list[int]:
    """Return those of the deliveries whose event has the name on one of its sides."""
    query = sa.select(Delivery.id, Event.body).join(Event, Event.id == Delivery.event_id)
    rows = session.execute(query.where(Delivery.id.in_(ids))).all() if ids else []
    return [id_ for id_, body in rows if _has_name(body, name)]


def _has_name(body: str, name: str) -> bool:
    # Most texts are passed over unread. One with escapes may have the name all the same.
    if "\\" not in body and name not in body.casefold():
        return False
    event = json.loads(body)
    return any(name in str(event.get(field) or "").casefold() for field in _PARTIES)
