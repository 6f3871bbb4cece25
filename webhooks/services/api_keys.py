"""Keys for the HTTP API."""

import secrets
from collections.abc import Sequence

import sqlalchemy as sa

from webhooks.audit import record
from webhooks.db.meta import config_changed
from webhooks.db.models import ApiKey
from webhooks.db.store import Store
from webhooks.errors import Conflict
from webhooks.services.lookup import checked_name, now, row_or_404
from webhooks.tokens import token_hash


class ApiKeys:
    """Added and revoked API keys."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def all(self) -> Sequence[ApiKey]:
        """Read all keys, by name."""
        with self._store.read() as session:
            return session.scalars(sa.select(ApiKey).order_by(ApiKey.name)).all()

    def add(self, name: str) -> tuple[ApiKey, str]:
        """Make an API key. Returns its row and the key itself, which is not kept."""
        name, key = checked_name(name), f"spoke_{secrets.token_urlsafe(32)}"
        with self._store.write() as session:
            if session.scalar(sa.select(ApiKey).where(ApiKey.name == name)):
                raise Conflict(f"There is a key {name!r} already; revoke it first or choose another name.")
            row = ApiKey(name=name, key_hash=token_hash(key), created_at=now())
            session.add(row)
            config_changed(session.connection())
            record(session.connection(), f"API key {name}", "added")
            session.flush()
            return row, key

    def revoke(self, name: str) -> None:
        """Delete an API key: it is refused from now on."""
        with self._store.write() as session:
            key = session.scalar(sa.select(ApiKey).where(ApiKey.name == name))
            session.delete(row_or_404(key, f"key {name!r}"))
            config_changed(session.connection())
            record(session.connection(), f"API key {name}", "revoked")
