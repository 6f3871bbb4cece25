"""Whether anybody has committed something: SQLite tells that for a small part of what a query costs."""

import contextlib

import sqlalchemy as sa
from sqlalchemy.pool import PoolProxiedConnection

from webhooks.db.store import Store


class CommitWatch:
    """For one thread. It has a connection of its own: ``data_version`` counts the commits of all others."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._raw: PoolProxiedConnection | None = None
        self._version: int | None = None

    def changed(self) -> bool:
        """Whether there was a commit since the last call. True where that cannot be told: by PostgreSQL, by a
        database that cannot be read.
        """
        if not self._store.sqlite:
            return True
        before, self._version = self._version, None
        with contextlib.suppress(sa.exc.SQLAlchemyError, self._store.engine.dialect.loaded_dbapi.Error):
            if self._raw is None:
                self._raw = self._store.engine.raw_connection()
            self._version = self._raw.cursor().execute("PRAGMA data_version").fetchone()[0]
        return self._version is None or self._version != before
