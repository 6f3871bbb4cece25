"""Locations: the PBXs that post events, each with a token of its own."""

import secrets
from collections.abc import Callable, Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy import orm

from webhooks.catalogue import counted
from webhooks.db.meta import config_changed
from webhooks.db.models import (
    CallView,
    ExpectedSilence,
    Location,
    Matter,
    PbxConnection,
    PhoneSite,
    Refusal,
    RefusalCount,
    UnknownKind,
    ZohoAccount,
)
from webhooks.db.store import Store
from webhooks.errors import Conflict
from webhooks.outbox.hold import apply_webhook_states
from webhooks.services.integrations import WEBHOOKS, delete_webhooks, disconnect_all
from webhooks.services.lookup import (
    checked_name,
    live_location,
    newest,
    note,
    now,
    row_or_404,
    unless_deleted,
)
from webhooks.services.rotation import check_former, grace_end
from webhooks.services.zoho import Zoho
from webhooks.tokens import token_hash

_OWN_TABLES: Final = (
    PbxConnection, PhoneSite, CallView, UnknownKind, Refusal, RefusalCount, ExpectedSilence, ZohoAccount,
)  # fmt: skip


class Locations:
    """Locations, by name: added, connected, renamed, paused, deleted."""

    def __init__(self, store: Store, zoho: Zoho) -> None:
        self._store, self._zoho = store, zoho

    def all(self) -> Sequence[Location]:
        """Read all locations, by name."""
        with self._store.read() as session:
            query = sa.select(Location).where(Location.deleted_at.is_(None)).order_by(Location.name)
            return session.scalars(query).all()

    def page(self, before: int | None, count: int) -> tuple[Sequence[Location], int | None]:
        """Read up to ``count`` locations below ``before``, newest first, and the ``before`` to go on with."""
        query = sa.select(Location).where(Location.deleted_at.is_(None))
        with self._store.read() as session:
            return newest(session, query, Location.id, before, count)

    def get(self, location_id: int) -> Location:
        """Read a location."""
        with self._store.read() as session:
            location = unless_deleted(session.get(Location, location_id))
            return row_or_404(location, f"location {location_id}")

    def by_name(self, name: str) -> Location:
        """Read the location of this name."""
        with self._store.read() as session:
            return live_location(session, name)

    def connect(self, name: str) -> Location:
        """Make the location an active integration: “Authorize” on the pages."""
        with self._store.write() as session:
            location = live_location(session, name)
            if location.connected_at is None:
                location.connected_at = now()
                note(session, location, "connected to Webhooks")
            return location

    def disconnect(self, name: str) -> int:
        """Disconnect a location from Webhooks; delete its webhooks there, drop their open deliveries.

        Its events are still accepted, for no webhook. Returns how many webhooks were deleted.
        """
        with self._store.write() as session:
            location = live_location(session, name)
            webhooks = delete_webhooks(session, location, WEBHOOKS)
            location.connected_at = None
            deleted = counted(len(webhooks), "webhook")
            note(session, location, f"disconnected from Webhooks; {deleted} deleted")
        apply_webhook_states(self._store, webhooks)
        return len(webhooks)

    def add(self, name: str) -> tuple[Location, str]:
        """Make a location. Returns it and its token, which is not kept."""
        name, token = checked_name(name), secrets.token_urlsafe(32)
        with self._store.write() as session:
            _name_is_free(session, name)
            location = Location(name=name, token_hash=token_hash(token), state="active", created_at=now())
            session.add(location)
            config_changed(session.connection())
            session.flush()
            note(session, location, "added")
            return location, token

    def rename(self, name: str, new: str) -> Location:
        """Give a location another name."""
        with self._store.write() as session:
            location = live_location(session, name)
            _rename(session, location, new)
            return location

    def change(
        self, location_id: int, name: str | None, state: str | None, check: Callable[[Location], object]
    ) -> Location:
        """Rename, pause or resume a location at once; None stays as it is.

        ``check`` gets the location before that, and raises where it is not to be changed: nobody else
        changes it in between.
        """
        with self._store.write() as session:
            location = session.get(Location, location_id, with_for_update=True)
            location = row_or_404(unless_deleted(location), f"location {location_id}")
            check(location)
            if name is not None:
                _rename(session, location, name)
            if state is not None and state != location.state:
                _set_state(session, location, state)
            return location

    def rotate_token(self, name: str, *, at_once: bool = False) -> tuple[Location, str]:
        """Replace a location's token. For 24 hours the old one is taken as well, unless it ends ``at_once``.

        Returns the location and the new token. Raises Conflict where two are taken already.
        """
        token = secrets.token_urlsafe(32)
        with self._store.write() as session:
            location = live_location(session, name)
            session.refresh(location, with_for_update=True)
            location.previous_until = grace_end(location, "token", at_once=at_once)
            location.previous_token_hash = None if at_once else location.token_hash
            location.token_hash = token_hash(token)
            config_changed(session.connection())
            old = "refused" if at_once else "taken for 24 hours"
            note(session, location, f"token rotated: the old one is {old}")
            return location, token

    def end_former_token(self, name: str) -> Location:
        """Refuse the token that was there before the rotation. Raises Conflict where it is not taken."""
        with self._store.write() as session:
            location = live_location(session, name)
            check_former(location, "token")
            location.previous_until = location.previous_token_hash = None
            config_changed(session.connection())
            note(session, location, "old token ended: it is refused")
            return location

    def set_state(self, name: str, state: str) -> Location:
        """Pause a location, which refuses its events with 403, or resume it."""
        with self._store.write() as session:
            location = live_location(session, name)
            _set_state(session, location, state)
            return location

    def delete(self, name: str) -> tuple[Location, str | None]:
        """Delete a location and its webhooks. Their open deliveries are dropped, their history stays.

        Returns it, and what Zoho did not do, where it was connected there.
        """
        problem = self._zoho.let_go(self.by_name(name).id)  # first: the grant is gone after that
        with self._store.write() as session:
            location = live_location(session, name)
            location.deleted_at = now()
            webhooks = disconnect_all(session, location)
            for table in _OWN_TABLES:
                session.execute(sa.delete(table).where(table.location_id == location.id))
            over = Matter.subject == f"location {location.id}", Matter.closed_at.is_(None)
            session.execute(sa.update(Matter).where(*over).values(closed_at=now()))
            note(session, location, f"deleted, and {counted(len(webhooks), 'webhook')} with it")
        apply_webhook_states(self._store, webhooks)
        return location, problem


def is_token_of(location: Location, token: str) -> bool:
    """Whether events with this token are the location's now."""
    taken = [location.token_hash, location.previous_token_hash if location.both_until else None]
    return token_hash(token) in taken


def _rename(session: orm.Session, location: Location, new: str) -> None:
    new = checked_name(new)
    if new != location.name:
        _name_is_free(session, new)
        note(session, location, f"renamed to {new!r}")
    location.name = new


def _set_state(session: orm.Session, location: Location, state: str) -> None:
    location.state = state
    config_changed(session.connection())
    note(session, location, "paused" if state == "paused" else "resumed")


def _name_is_free(session: orm.Session, name: str) -> None:
    if session.scalar(sa.select(Location).where(Location.name == name, Location.deleted_at.is_(None))):
        raise Conflict(f"There is a location {name!r} already; choose another name.")
