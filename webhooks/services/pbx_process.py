"""The process that holds the connections to phone systems: whether it is needed, alone, and alive.

It holds a lock for as long as it runs, which the kernel frees with it, or PostgreSQL with its connection. So
one process works a database, and whoever finds the lock free knows that none runs.
"""

import contextlib
import threading
from collections.abc import Iterator
from typing import Final

import sqlalchemy as sa

from webhooks.data_dir import is_held, try_lock
from webhooks.db.store import Store
from webhooks.settings import Settings

_LOCK: Final = 0x53706F6B67


class PbxProcess:
    """The process of this database, as it sees itself and as others see it."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._store = store
        self._file = settings.data / "pbx.lock"
        self.folder = settings.data / "pbx"  # of the journals

    @contextlib.contextmanager
    def alone(self, stop: threading.Event) -> Iterator[sa.Connection | None]:
        """Wait to be the one process that holds connections: two would hear each call twice.

        Yields:
            PostgreSQL's connection, with which the lock goes; None on SQLite.
        """
        if self._store.sqlite:
            while (descriptor := try_lock(self._file)) is None and not stop.wait(1):
                pass
            yield None  # the kernel frees the lock with the process
            del descriptor
            return
        with self._store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            taken = sa.text("SELECT pg_try_advisory_lock(:key)")
            while not connection.execute(taken, {"key": _LOCK}).scalar() and not stop.wait(1):
                pass
            yield connection

    def runs(self) -> bool:
        """Whether a process holds the lock. Raises ReadFailed where the database is away."""
        if not self._store.sqlite:
            with self._store.read() as session:  # the lock is gone again with the transaction
                free = sa.text("SELECT pg_try_advisory_xact_lock_shared(:key)")
                return not session.scalar(free, {"key": _LOCK})
        return is_held(self._file)

    def is_needed(self) -> bool:
        """Whether there is a connection to hold, or a call left of one that was taken away."""
        return self._store.finds("SELECT 1 FROM pbx_connection LIMIT 1") or any(self.folder.glob("*.jsonl"))
