"""Keys for the HTTP API."""

import itertools
import secrets
from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from pydantic import Field
from sqlalchemy import orm

from webhooks.audit import record
from webhooks.db.meta import config_changed
from webhooks.db.models import ApiKey, Connection
from webhooks.db.store import Store
from webhooks.errors import Conflict, Unauthorised
from webhooks.services.key_uses import KeyUses
from webhooks.services.lookup import now, row_or_404
from webhooks.services.parsing import Named
from webhooks.tokens import token_hash

READ: Final = "read"
WRITE: Final = "write"


class KeyInput(Named):
    """A key's name, and whether it may change anything."""

    read_only: bool = Field(default=False, title="Read only")


class ApiKeys:
    """Added and revoked API keys."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._uses = KeyUses(store)

    def all(self) -> Sequence[ApiKey]:
        """Read all keys, by name."""
        with self._store.read() as session:
            return session.scalars(sa.select(ApiKey).order_by(ApiKey.name)).all()

    def get(self, key_id: int) -> ApiKey:
        """Read a key's row."""
        with self._store.read() as session:
            return row_or_404(session.get(ApiKey, key_id), f"key {key_id}")

    def add(self, wanted: KeyInput) -> tuple[ApiKey, str]:
        """Make an API key. Returns its row and the key itself, which is not kept."""
        with self._store.write() as session:
            if _is_taken(session, wanted.name):
                raise Conflict(
                    f"There is a key {wanted.name!r} already; revoke it first or choose another name."
                )
            return make_key(session, wanted.name, READ if wanted.read_only else WRITE)

    def revoke(self, name: str) -> None:
        """Delete an API key: it is refused from now on."""
        with self._store.write() as session:
            key = session.scalar(sa.select(ApiKey).where(ApiKey.name == name))
            session.delete(row_or_404(key, f"key {name!r}"))  # its connection stays, without a key
            config_changed(session.connection())
            record(session.connection(), f"API key {name}", "revoked")

    def authenticate(self, key: str) -> ApiKey:
        """Find the row of a key, with its connection, and note its use. Raises Unauthorised for no key."""
        query = sa.select(ApiKey).where(ApiKey.key_hash == token_hash(key))
        of = orm.joinedload(ApiKey.connection).joinedload(Connection.location)
        with self._store.read() as session:
            row = session.scalar(query.options(of))
        if row is None:
            raise Unauthorised("There is no such API key; look whether it was revoked.")
        self._uses.note(row.id)
        return row


def make_key(session: orm.Session, name: str, scope: str) -> tuple[ApiKey, str]:
    """Make a key of a name that is free. Returns its row and the key itself, which is not kept."""
    key = f"spoke_{secrets.token_urlsafe(32)}"
    row = ApiKey(name=name, key_hash=token_hash(key), scope=scope, created_at=now())
    session.add(row)
    config_changed(session.connection())
    record(session.connection(), f"API key {name}", "added, read only" if scope == READ else "added")
    session.flush()
    return row, key


def free_name(session: orm.Session, wanted: str) -> str:
    """Return a name for a key that no other has: the wanted one, or that with a number."""
    names = itertools.chain([wanted], (f"{wanted} {number}" for number in itertools.count(2)))
    return next(name for name in names if not _is_taken(session, name))


def _is_taken(session: orm.Session, name: str) -> bool:
    return session.scalar(sa.select(ApiKey.id).where(ApiKey.name == name)) is not None
