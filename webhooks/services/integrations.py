"""The integrations that a location can be connected to: Webhooks, Zapier, Zoho PhoneBridge.

Each is a way of making the request of a delivery. ``Webhook.integration`` names it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy import orm

from webhooks.audit import record
from webhooks.catalogue import counted
from webhooks.db.meta import config_changed
from webhooks.db.models import Connection, Location, Webhook
from webhooks.db.store import Store
from webhooks.errors import Conflict
from webhooks.outbox import unsubscriptions
from webhooks.services.lookup import note, now, row_or_404


@dataclass(frozen=True, slots=True)
class Integration:
    """What its card says. ``noun``: what people call one of its webhooks."""

    name: str
    title: str
    sentence: str
    noun: str


WEBHOOKS: Final = Integration(
    "webhooks",
    "Webhooks",
    "Sends a message to your URL whenever there is a call, voicemail or recording. Connects any third party "
    "app or in-house solution that supports Webhooks.",
    "webhook",
)
ZAPIER: Final = Integration(
    "zapier",
    "Zapier",
    "Starts a Zap whenever there is a call, voicemail or recording, and so does something in any of the "
    "thousands of apps that Zapier knows.",
    "Zap",
)
ZOHO: Final = Integration(
    "zoho",
    "Zoho PhoneBridge",
    "Shows the calls of a location in Zoho CRM and other Zoho apps while they ring, and notes them when they "
    "have ended.",
    "connection",
)
INTEGRATIONS: Final[Mapping[str, Integration]] = {one.name: one for one in (WEBHOOKS, ZAPIER, ZOHO)}


class Integrations:
    """Which locations are connected to what."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def connected(self) -> Mapping[int, Sequence[Integration]]:
        """Read the integrations of each connected location, in the order of the cards."""
        names: defaultdict[int, set[str]] = defaultdict(set)
        with self._store.read() as session:
            for location_id, name in session.execute(_CONNECTED):
                names[location_id].add(name)
        return {
            location_id: [one for name, one in INTEGRATIONS.items() if name in names[location_id]]
            for location_id in names
        }


def connect(session: orm.Session, location: Location, integration: Integration) -> Connection:
    """Connect a location to an integration other than Webhooks. Raises Conflict where it is connected."""
    if find(session, location, integration):
        raise Conflict(f"{location.name} is connected to {integration.title} already.")
    connection = Connection(location_id=location.id, integration=integration.name, connected_at=now())
    session.add(connection)
    note(session, location, f"connected to {integration.title}")
    session.flush()
    return connection


def disconnect(session: orm.Session, location: Location, integration: Integration) -> Sequence[int]:
    """End a location's connection, and delete its webhooks. Raises NotFound where it is not connected.

    Returns the ids of those webhooks: after the commit their open deliveries are to be dropped.
    """
    _end(session, connection_of(session, location, integration))
    webhooks = delete_webhooks(session, location, integration)
    deleted = counted(len(webhooks), integration.noun)
    note(session, location, f"disconnected from {integration.title}; {deleted} deleted")
    return webhooks


def disconnect_all(session: orm.Session, location: Location) -> Sequence[int]:
    """End all connections of a location, and delete its webhooks. Returns them, as ``disconnect``."""
    for connection in session.scalars(sa.select(Connection).where(Connection.location_id == location.id)):
        _end(session, connection)
    location.connected_at = None
    return delete_webhooks(session, location)


def _end(session: orm.Session, connection: Connection) -> None:
    """Delete a connection, and revoke its key."""
    key = connection.api_key
    session.delete(connection)
    if key is not None:
        session.delete(key)
        record(session.connection(), f"API key {key.name}", "revoked")


def connection_of(session: orm.Session, location: Location, integration: Integration) -> Connection:
    """Read a location's connection to an integration. Raises NotFound where there is none."""
    found = find(session, location, integration)
    return row_or_404(found, f"connection of {location.name} to {integration.title}")


def find(session: orm.Session, location: Location, integration: Integration) -> Connection | None:
    """Read a location's connection to an integration; None where there is none."""
    query = sa.select(Connection).where(
        Connection.location_id == location.id, Connection.integration == integration.name
    )
    return session.scalar(query)


def delete_webhooks(
    session: orm.Session, location: Location, integration: Integration | None = None
) -> Sequence[int]:
    """Delete a location's webhooks, or those of one of its integrations. Returns their ids.

    Zapier is told of its own. Of ten thousand webhooks none is read: nobody else writes meanwhile.
    """
    own = [Webhook.location_id == location.id, Webhook.deleted_at.is_(None)]
    if integration is not None:
        own.append(Webhook.integration == integration.name)
    if integration in (None, ZAPIER):
        unsubscriptions.ask_all(session.connection(), location.id)
    deleted = sa.update(Webhook).where(*own).values(deleted_at=now()).returning(Webhook.id)
    ids = session.scalars(deleted).all()
    config_changed(session.connection())
    return ids


_CONNECTED: Final = sa.union_all(
    sa.select(Location.id, sa.literal(WEBHOOKS.name)).where(
        Location.deleted_at.is_(None), Location.connected_at.is_not(None)
    ),
    sa.select(Connection.location_id, Connection.integration),
)
