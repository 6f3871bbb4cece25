"""Zapier: a location's connection, and the key by which its Zaps subscribe webhooks by themselves."""

from typing import Final

from sqlalchemy import orm

from webhooks.audit import record
from webhooks.db.models import ApiKey, Connection, Location
from webhooks.db.store import Store
from webhooks.outbox.hold import apply_webhook_states
from webhooks.services import integrations
from webhooks.services.api_keys import WRITE, free_name, make_key
from webhooks.services.integrations import ZAPIER
from webhooks.services.lookup import row_or_404, unless_deleted

_LONGEST_NAME: Final = 90  # of a key, which may get a number


class Zapier:
    """Locations by their id, connected to Zapier and disconnected again."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def connect(self, location_id: int) -> str:
        """Connect a location. Returns the API key for Zapier, which is not kept."""
        with self._store.write() as session:
            location = _location(session, location_id)
            return _give_key(session, integrations.connect(session, location, ZAPIER), location)

    def key(self, location_id: int) -> ApiKey | None:
        """Read the key of a connection; None where it was revoked. Raises NotFound without a connection."""
        with self._store.read() as session:
            location = _location(session, location_id)
            return integrations.connection_of(session, location, ZAPIER).api_key

    def renew_key(self, location_id: int) -> str:
        """Make another API key, which is returned and not kept. The present one is revoked."""
        with self._store.write() as session:
            location = _location(session, location_id)
            connection = integrations.connection_of(session, location, ZAPIER)
            former, connection.api_key = connection.api_key, None
            session.flush()
            if former is not None:
                session.delete(former)
                record(session.connection(), f"API key {former.name}", "revoked: Zapier gets another one")
                session.flush()
            return _give_key(session, connection, location)

    def disconnect(self, location_id: int) -> int:
        """End a connection: revoke its key, delete its Zaps' webhooks and drop their open deliveries.

        Zapier is told of each. Returns how many webhooks were deleted.
        """
        with self._store.write() as session:
            webhooks = integrations.disconnect(session, _location(session, location_id), ZAPIER)
        apply_webhook_states(self._store, webhooks)
        return len(webhooks)


def _location(session: orm.Session, location_id: int) -> Location:
    return row_or_404(unless_deleted(session.get(Location, location_id)), f"location {location_id}")


def _give_key(session: orm.Session, connection: Connection, location: Location) -> str:
    name = free_name(session, f"{ZAPIER.title}, {location.name}"[:_LONGEST_NAME])
    connection.api_key, key = make_key(session, name, WRITE)
    return key
