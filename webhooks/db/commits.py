"""Whether anybody has committed something: SQLite tells that for a small part of what a query costs."""

import contextlib

import sqlalchemy as sa

from webhooks.db.store import Store
from webhooks.errors import ReadFailed


class CommitWatch:
    """For one thread. What that thread commits itself through ``Store.direct`` is no news."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen: tuple[object, int] | None = None

    def changed(self) -> bool:
        """Whether there was a commit since the last call. True where that cannot be told: by PostgreSQL, by a
        database that cannot be read.

        SQLite tells each connection of the others' commits, by a number. Mostly the thread is given the same
        one; the number of another is compared to none.
        """
        if not self._store.sqlite:
            return True
        before, self._seen = self._seen, None
        driver_error = self._store.engine.dialect.loaded_dbapi.Error
        with (
            contextlib.suppress(ReadFailed, sa.exc.SQLAlchemyError, driver_error),
            self._store.direct_read() as direct,
        ):
            self._seen = direct.connection, direct.rows("PRAGMA data_version")[0][0]
        return self._seen is None or self._seen != before
