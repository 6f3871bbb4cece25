"""Search of phone numbers by their end, in the index of the numbers that events have."""

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import orm

from webhooks.db.models import EventNumber
from webhooks.events.phone_numbers import number_key

_NUMBERS: Final = 20  # different numbers with the same end


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
