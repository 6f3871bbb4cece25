"""Routing of events: the location of a token, and the webhooks that an event matches."""

import uuid
from dataclasses import dataclass

from webhooks.catalogue import CALL_TYPES
from webhooks.db.raw import RawConnection
from webhooks.errors import LocationPaused, Unauthorised


@dataclass(frozen=True, slots=True)
class Filter:
    """The events that a webhook is for. ``kind`` is call or media; other values of None stand for any."""

    kind: str
    type: str | None
    call_status: str | None

    def matches(self, type_: str, subtype: str) -> bool:
        """Whether an event of this type and subtype ("" for media) is for the webhook."""
        if self.kind != ("call" if type_ in CALL_TYPES else "media"):
            return False
        return self.type in (None, type_) and (self.kind == "media" or self.call_status in (None, subtype))


_LOCATIONS = "SELECT id, token_hash, state, created_at FROM location WHERE deleted_at IS NULL"
_WEBHOOKS = """
    SELECT id, location_id, kind, type, status, state FROM webhook WHERE deleted_at IS NULL ORDER BY id
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

    ``tokens`` leads from a token's hash to a location. By locations: ``subscriptions`` are its webhooks,
    ``namespaces`` is in which an id that is no UUID becomes one.
    """

    version: int
    tokens: dict[bytes, int]
    paused: set[int]
    subscriptions: dict[int, list[Subscription]]
    namespaces: dict[int, uuid.UUID]

    @classmethod
    def read(cls, direct: RawConnection, version: int) -> "RoutingTable":
        """Read the table from the database."""
        locations = direct.rows(_LOCATIONS)
        subscriptions: dict[int, list[Subscription]] = {location_id: [] for location_id, _, _, _ in locations}
        for webhook_id, location_id, kind, type_, call_status, state in direct.rows(_WEBHOOKS):
            if location_id in subscriptions:
                filter_ = Filter(kind, type_, call_status)
                subscriptions[location_id].append(Subscription(webhook_id, filter_, state != "active"))
        return cls(
            version,
            {bytes(token): id_ for id_, token, _, _ in locations},
            {id_ for id_, _, state, _ in locations if state == "paused"},
            subscriptions,
            {id_: _namespace(id_, created_at) for id_, _, _, created_at in locations},
        )

    def location(self, token_hash: bytes) -> int:
        """Return the location of a token.

        Raises:
            Unauthorised: no location has the token. LocationPaused: the location takes no events now.
        """
        location_id = self.tokens.get(token_hash)
        if location_id is None:
            raise Unauthorised("No location has this token.")
        if location_id in self.paused:
            raise LocationPaused("This location is paused: its events are not taken. Resume it to take them.")
        return location_id


def _namespace(location_id: int, created_at: int) -> uuid.UUID:
    """Make a location's namespace, which stays the same whatever the location's name and token become.

    The time of its making tells the first location of one appliance from that of another.
    """
    return uuid.uuid5(uuid.NAMESPACE_OID, f"location {location_id}, {created_at}")
