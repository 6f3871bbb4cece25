"""SQL of a few events that are all new: a statement for each table.

The intake gives Python's lock up at every statement, and may wait for it while it holds the writers' lock.
"""

import functools
from collections.abc import Sequence
from itertools import chain
from typing import Any, Final, NamedTuple

from webhooks.db.raw import RawConnection
from webhooks.events.routing import Subscription
from webhooks.events.schema import IncomingEvent
from webhooks.events.storage import Accepted

MOST: Final = 16  # events in a statement, and deliveries four times as many

_EVENT: Final = (
    "location_id",
    "uid",
    "message_id",
    "thread_key",
    "type",
    "subtype",
    "matched",
    "origin",
    "body",
)
_DELIVERY: Final = ("event_id", "webhook_id", "thread_key", "type", "subtype", "state")


class Arrival(NamedTuple):
    """An event with its location and the webhooks that it is for."""

    location_id: int
    origin: str
    event: IncomingEvent
    targets: Sequence[Subscription]


def are_few(arrivals: Sequence[Arrival]) -> bool:
    """Whether ``store_new`` may be asked: few events, without recordings, for not too many webhooks."""
    return (
        len(arrivals) <= MOST
        and sum(len(arrival.targets) for arrival in arrivals) <= 4 * MOST
        and not any(arrival.event.media for arrival in arrivals)
    )


def store_new(direct: RawConnection, arrivals: Sequence[Arrival], now: int) -> list[Accepted] | None:
    """Store events with their deliveries. Returns None, with nothing stored, if an id among them is known."""
    uids = [arrival.event.uid for arrival in arrivals]
    if len(set(uids)) < len(uids):
        return None
    rows = [
        (location_id, uid, event.id, event.thread_key, event.type, event.subtype, len(targets), origin,
         event.body)
        for uid, (location_id, origin, event, targets) in zip(uids, arrivals, strict=True)
    ]  # fmt: skip
    parameters = _parameters(_EVENT, rows, now)
    if direct.rows(_known(len(rows)), parameters)[0][0]:
        return None
    ids = {bytes(uid): id_ for uid, id_ in direct.rows(_insert_events(len(rows)), parameters)}
    deliveries = [
        (ids[uid], target.webhook_id, event.thread_key, event.type, event.subtype,
         "held" if target.held else "pending")
        for uid, (_, _, event, targets) in zip(uids, arrivals, strict=True)
        for target in targets
    ]  # fmt: skip
    if deliveries:
        direct.run(_insert_deliveries(len(deliveries)), _parameters(_DELIVERY, deliveries, now))
    return [Accepted(event.id, len(targets), False) for _, _, event, targets in arrivals]


@functools.cache
def _known(count: int) -> str:
    each = (
        f"EXISTS (SELECT 1 FROM event WHERE location_id = :location_id{n} AND uid = :uid{n})"
        for n in range(count)
    )
    return f"SELECT {' OR '.join(each)}"


@functools.cache
def _insert_events(count: int) -> str:
    rows = _rows(_EVENT, ":now", count)
    return f"INSERT INTO event ({', '.join(_EVENT)}, accepted_at) VALUES {rows} RETURNING uid, id"


@functools.cache
def _insert_deliveries(count: int) -> str:
    rows = _rows(_DELIVERY, ":now, :now, 0, 0, 0", count)
    columns = ", ".join(_DELIVERY)
    return f"INSERT INTO delivery ({columns}, due_at, created_at, claims, tries, attempts) VALUES {rows}"


def _rows(columns: Sequence[str], shared: str, count: int) -> str:
    return ", ".join(f"({', '.join(f':{column}{n}' for column in columns)}, {shared})" for n in range(count))


def _parameters(columns: tuple[str, ...], rows: Sequence[tuple[Any, ...]], now: int) -> dict[str, Any]:
    names = _names(columns, len(rows))
    return {"now": now, **dict(zip(names, chain.from_iterable(rows), strict=True))}


@functools.cache
def _names(columns: tuple[str, ...], count: int) -> tuple[str, ...]:
    return tuple(f"{column}{n}" for n in range(count) for column in columns)
