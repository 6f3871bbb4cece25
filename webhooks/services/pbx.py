"""Connections to phone systems that the appliance keeps open: set up, watched, taken away."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy import orm

from webhooks.db.meta import config_changed
from webhooks.db.models import Location, PbxConnection
from webhooks.db.store import Store
from webhooks.errors import Invalid
from webhooks.outbound.pbx_link import Account
from webhooks.pbx.site_numbers import SiteNumbers
from webhooks.services.lookup import live_location, note, now, row_or_404
from webhooks.services.pbx_process import PbxProcess
from webhooks.services.pbx_systems import SYSTEMS, ConnectionInput, LiveSystem
from webhooks.settings import Settings
from webhooks.vault import readable

STATES: Final[dict[str, str]] = {
    "waiting": "Not tried yet",
    "connecting": "Connecting",
    "connected": "Connected",
    "refused": "Log-in refused",
    "broken": "Not connected",
}
_SILENT: Final = timedelta(seconds=30)  # the process that holds the connections writes every ten seconds


@dataclass(frozen=True, slots=True)
class Condition:
    """How a connection is. ``detail`` says what is wrong and what to do, "" where nothing is."""

    state: str
    detail: str = ""
    since_at: datetime | None = None
    last_message_at: datetime | None = None
    last_event_at: datetime | None = None


class Pbx:
    """Connections by location, which has one at most. Raises NotFound as the other services do."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._store = store
        self._process = PbxProcess(settings, store)

    def all(self) -> Sequence[PbxConnection]:
        """Read the connections of all locations, by their names."""
        query = sa.select(PbxConnection).join(Location).where(Location.deleted_at.is_(None))
        with self._store.read() as session:
            return session.scalars(query.order_by(Location.name).options(_WITH_LOCATION)).all()

    def of(self, location_id: int) -> PbxConnection | None:
        """Read a location's connection, None where it has none."""
        with self._store.read() as session:
            return _of(session, location_id)

    def by_name(self, name: str) -> PbxConnection:
        """Read the connection of the location of this name."""
        with self._store.read() as session:
            location = live_location(session, name)
            return row_or_404(_of(session, location.id), f"phone system connected to {name!r}")

    def connect(self, name: str, given: ConnectionInput) -> PbxConnection:
        """Connect a location to a phone system, or change how. The connection is made within a second.

        A connection to another kind of system goes, with its secret; its open calls get their end.

        Raises:
            Invalid: no secret, and none is there to keep.
        """
        options, system = given.options(), SYSTEMS[given.dialect.name]
        with self._store.write() as session:
            location = live_location(session, name)
            row = _of(session, location.id)
            if row is None or row.system != system.name:
                if given.secret is None:
                    raise Invalid(f"“{system.secret}” is missing.", "secret")
                if row is not None:
                    session.delete(row)
                    session.flush()
                row = PbxConnection(
                    location=location, system=system.name, secret=given.secret, created_at=now(), version=0
                )
                session.add(row)
            row.account, row.options = given.account(), options
            row.secret = given.secret or row.secret
            row.version += 1
            row.state, row.detail, row.since_at = "waiting", "", None
            session.flush()
            config_changed(session.connection())
            note(session, location, f"connected to {system.title} at {place_of(row)}")
            return row

    def disconnect(self, name: str) -> PbxConnection:
        """Take a location's connection away, with its secret. Calls that are open get their end."""
        with self._store.write() as session:
            location = live_location(session, name)
            row = row_or_404(_of(session, location.id), f"phone system connected to {name!r}")
            session.delete(row)
            config_changed(session.connection())
            note(session, location, f"disconnected from {SYSTEMS[row.system].title} at {place_of(row)}")
            return row

    def wanted(self) -> Sequence[PbxConnection]:
        """Read the connections to keep open: those of locations that are not paused."""
        query = (
            sa.select(PbxConnection)
            .join(Location)
            .where(Location.deleted_at.is_(None), Location.state == "active")
        )
        with self._store.read() as session:
            return session.scalars(query.order_by(PbxConnection.id).options(_WITH_LOCATION)).all()

    def condition(self, row: PbxConnection) -> Condition:
        """Return how a connection is, for people: also where nobody holds it now."""
        return condition_of(row, self._process.runs())

    def exists(self, connection_id: int) -> bool:
        """Whether a connection is still set up, if only for a location that is paused."""
        with self._store.read() as session:
            return session.get(PbxConnection, connection_id) is not None

    def report(self, conditions: dict[int, tuple[int, Condition, int]]) -> None:
        """Write how connections are: {id: (version, condition, events since the last report)}.

        A row that was changed meanwhile keeps its own state.
        """
        with self._store.write() as session:
            for id_, (version, condition, events) in conditions.items():
                session.execute(
                    sa.update(PbxConnection)
                    .where(PbxConnection.id == id_, PbxConnection.version == version)
                    .values(
                        state=condition.state, detail=condition.detail, since_at=condition.since_at,
                        last_message_at=condition.last_message_at,
                        last_event_at=condition.last_event_at or PbxConnection.last_event_at,
                        events=PbxConnection.events + events, seen_at=now(),
                    )
                )  # fmt: skip


def account_of(row: PbxConnection) -> Account:
    """Return how to reach a connection's phone system.

    Raises:
        Invalid: its secret was sealed with a key that is not here.
    """
    if not readable(row.secret):
        raise Invalid(
            "The secret cannot be read: another secret key sealed it. Enter the secret again.", "secret"
        )
    return Account(secret=row.secret, **row.account)  # type: ignore[arg-type]  # as ``connect`` wrote them


def options_of(
    system: LiveSystem, location_id: int, connection_id: int, options: dict[str, object] | None = None
) -> SiteNumbers:
    """Return how to read a connection's phone system. Its calls' ids are of this connection alone."""
    given = {"source": source_of(location_id, connection_id), **(options or {})}
    return system.dialect.options.model_validate(given)


def source_of(location_id: int, connection_id: int) -> str:
    """Return what the ids of a connection's calls are made from, besides the phone system's own."""
    return f"{location_id}-{connection_id}"


def place_of(row: PbxConnection) -> str:
    """Return host and port of a connection's phone system, as people write them."""
    return Account(secret="", **row.account).place  # type: ignore[arg-type]


def condition_of(row: PbxConnection, runs: bool) -> Condition:
    """Return how a connection is. ``runs``: whether there is a process that holds it."""
    times = row.last_message_at, row.last_event_at
    if row.location.state == "paused":
        return Condition("paused", "The location is paused. Resume it to connect again.", None, *times)
    if row.state == "waiting" and (row.seen_at or row.created_at) > now() - _SILENT:
        return Condition("waiting", "", None, *times)
    # The machine may be lost, and PostgreSQL not know that yet: then the age of what it wrote tells.
    if not runs or row.seen_at is None or row.seen_at < now() - _SILENT:
        return Condition(
            "broken",
            "The process that holds the connection does not run. It is started again in a moment; if not, "
            "start the appliance, or see its log.",
            row.seen_at,
            *times,
        )  # fmt: skip
    return Condition(row.state, row.detail, row.since_at, *times)


_WITH_LOCATION: Final = orm.joinedload(PbxConnection.location)


def _of(session: orm.Session, location_id: int) -> PbxConnection | None:
    query = sa.select(PbxConnection).where(PbxConnection.location_id == location_id)
    return session.scalar(query.options(_WITH_LOCATION))
