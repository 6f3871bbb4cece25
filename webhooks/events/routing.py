"""Routing of events: the location of a token, and the webhooks that an event matches."""

import uuid
from dataclasses import dataclass

from webhooks.catalogue import CALL_TYPES
from webhooks.db.models.columns import split_words
from webhooks.db.raw import RawConnection
from webhooks.db.store import now_ms
from webhooks.errors import LocationPaused, Unauthorised


@dataclass(frozen=True, slots=True)
class Filter:
    """The events that a webhook is for. ``kind`` is call, media or any; an empty set stands for any."""

    kind: str
    types: frozenset[str] = frozenset()
    statuses: frozenset[str] = frozenset()

    def matches(self, type_: str, subtype: str) -> bool:
        """Whether an event of this type and subtype ("" for media) is for the webhook."""
        if self.kind not in ("any", "call" if type_ in CALL_TYPES else "media"):
            return False
        return (not self.types or type_ in self.types) and (not self.statuses or subtype in self.statuses)


_LOCATIONS = """
    SELECT id, token_hash, previous_token_hash, previous_until, state, created_at FROM location
    WHERE deleted_at IS NULL
"""
_WEBHOOKS = """
    SELECT id, location_id, kind, types, statuses, state FROM webhook WHERE deleted_at IS NULL ORDER BY id
"""


@dataclass(frozen=True, slots=True)
class Subscription:
    """A webhook that may get an event. ``held``: its deliveries are held, as it is paused or disabled."""

    webhook_id: int
    filter: Filter
    held: bool


@dataclass
class RoutingTable:
    """Locations and webhooks as of one version of the configuration.

    ``tokens`` leads from a token's hash to a location; ``former_tokens`` from that of a token before a
    rotation to the location, and the time until which it is taken. By locations: ``subscriptions`` are its
    webhooks, ``namespaces`` is in which an id that is no UUID becomes one.
    """

    version: int
    tokens: dict[bytes, int]
    former_tokens: dict[bytes, tuple[int, int]]
    paused: set[int]
    subscriptions: dict[int, list[Subscription]]
    namespaces: dict[int, uuid.UUID]

    @classmethod
    def read(cls, direct: RawConnection, version: int) -> "RoutingTable":
        """Read the table from the database."""
        locations = direct.rows(_LOCATIONS)
        subscriptions: dict[int, list[Subscription]] = {location_id: [] for location_id, *_ in locations}
        for webhook_id, location_id, kind, types, statuses, state in direct.rows(_WEBHOOKS):
            if location_id in subscriptions:
                filter_ = Filter(kind, frozenset(split_words(types)), frozenset(split_words(statuses)))
                subscriptions[location_id].append(Subscription(webhook_id, filter_, state != "active"))
        return cls(
            version,
            {bytes(token): id_ for id_, token, *_ in locations},
            {bytes(former): (id_, until) for id_, _, former, until, *_ in locations if former and until},
            {id_ for id_, *_, state, _ in locations if state == "paused"},
            subscriptions,
            {id_: _namespace(id_, created_at) for id_, *_, created_at in locations},
        )

    def location(self, token_hash: bytes) -> int:
        """Return the location of a token, or of a former one that is still taken.

        Raises:
            Unauthorised: no location has the token. LocationPaused: the location takes no events now.
        """
        location_id = self.tokens.get(token_hash)
        if location_id is None:
            location_id, until_ms = self.former_tokens.get(token_hash, (0, 0))
            if now_ms() >= until_ms:
                raise Unauthorised("No location has this token.")
        if location_id in self.paused:
            raise LocationPaused("This location is paused: its events are not taken. Resume it to take them.")
        return location_id


def _namespace(location_id: int, created_at: int) -> uuid.UUID:
    """Make a location's namespace, which stays the same whatever the location's name and token become.

    The time of its making tells the first location of one appliance from that of another.
    """
    return uuid.uuid5(uuid.NAMESPACE_OID, f"location {location_id}, {created_at}")
