"""Liveness of worker processes: each holds a lock for as long as it runs, which the kernel frees with it.

Whoever can take a worker's lock knows it dead and releases its deliveries, without waiting for a lease.
SQLite: an flock on ``workers/ID.lock`` in the data dir. PostgreSQL: a session advisory lock, which also works
from another machine. A lost machine does not close its connection, so its lock may seem held for hours:
there, a worker without a heartbeat counts as dead too, by the clock of the database.
"""

import functools
import math
import os
import secrets
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from webhooks.data_dir import hold_lock, try_lock
from webhooks.db.failures import translated
from webhooks.db.raw import RawConnection
from webhooks.db.row_errors import leave
from webhooks.db.store import Store, now_ms
from webhooks.errors import ReadFailed, Replaced
from webhooks.settings import Settings

_REGISTER = sa.text("""
    INSERT INTO worker (id, host, pid, started_at, beat_at) VALUES (:id, :host, :pid, :now, :now)
""")
_FORGET: Final = "DELETE FROM worker WHERE id = :id"
# What is released: select, update, table. Deliveries that wait behind a row in flight come before the lanes,
# by whose owner they are found.
_RELEASE: Final = (
    (
        """
        SELECT id FROM delivery WHERE state = 'pending' AND owner IS NULL AND tries = 0 AND due_at > :now
        AND webhook_id IN (SELECT webhook_id FROM lane WHERE owner = :id)
        """,
        """
        UPDATE delivery SET due_at = :now
        WHERE id IN :ids AND state = 'pending' AND owner IS NULL AND tries = 0 AND due_at > :now
        """,
        "delivery",
    ),
    (
        "SELECT webhook_id FROM lane WHERE owner = :id",
        "UPDATE lane SET owner = NULL WHERE webhook_id IN :ids AND owner = :id",
        "lane",
    ),
    (
        "SELECT id FROM delivery WHERE owner = :id",
        "UPDATE delivery SET owner = NULL, due_at = :now WHERE id IN :ids AND owner = :id",
        "delivery",
    ),
)
_DATABASE_CLOCK: Final = "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)"
_HEARTBEAT = sa.text("UPDATE worker SET beat_at = :now WHERE id = :id")
_HEARTBEAT_POSTGRESQL = sa.text(f"UPDATE worker SET beat_at = {_DATABASE_CLOCK} WHERE id = :id")
_LOST = sa.text(f"SELECT id FROM worker WHERE id <> :id AND beat_at < {_DATABASE_CLOCK} - :lost")
_IS_REGISTERED: Final = "SELECT 1 FROM worker WHERE id = :id"
_HEARTBEAT_S: Final = 5.0
_LOST_S: Final = 20.0
# After the database was away all heartbeats are old: the other workers get this long for a new one.
_STEADY_S: Final = 15.0


class Liveness:
    """This process's proof of life, and the way to find out which other workers run.

    A worker's id is random for each start, so an id that is dead stays dead.
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        self.id = secrets.token_hex(8)
        self._store = store
        self._folder = settings.data / "workers"
        self._lock: int | sa.Connection | None = None  # file descriptor, or the session that has the lock
        self._heartbeat_s = self._steady_since_s = -math.inf  # monotonic

    def register(self) -> None:
        """Take the lock, then write the row: in the other order, other workers would find us dead."""
        if self._store.sqlite:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            self._lock = hold_lock(self._lock_file(self.id))
        else:
            with translated(ReadFailed):
                self._lock = self._store.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
                self._lock.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": _key(self.id)})
        row = {"id": self.id, "host": socket.gethostname(), "pid": os.getpid(), "now": now_ms()}
        with self._store.write(wait=None) as session:
            session.connection().execute(_REGISTER, row)
            self.heartbeat(session.connection())

    def deregister(self) -> None:
        """Release what this worker owns, then the lock."""
        with self._store.direct(wait=None) as direct:
            release_worker(direct, self.id)
        if isinstance(self._lock, int):
            os.close(self._lock)
            self._lock_file(self.id).unlink(missing_ok=True)
        elif self._lock is not None:
            self._lock.close()

    def check_registered(self, direct: RawConnection) -> None:
        """On PostgreSQL, check that no other worker has taken this one for dead, and its rows with it.

        Raises:
            Replaced: one has. On SQLite that cannot be: a lock there ends with its process alone.
        """
        if not self._store.sqlite and direct.row(_IS_REGISTERED, {"id": self.id}) is None:
            raise Replaced("Other workers have taken this one for dead.")

    def check_connection(self) -> None:
        """On PostgreSQL, check the connection whose session has the lock.

        Raises:
            Replaced: it is gone, and the lock with it.
        """
        if isinstance(self._lock, sa.Connection):
            try:
                self._lock.execute(sa.text("SELECT 1"))
            except sa.exc.OperationalError as error:
                raise Replaced(
                    "The database has ended the connection that proves this worker alive."
                ) from error

    @property
    def heartbeat_is_due(self) -> bool:
        return time.monotonic() - self._heartbeat_s >= _HEARTBEAT_S

    def heartbeat(self, connection: sa.Connection) -> None:
        """Write the time into this worker's row."""
        now_s = time.monotonic()
        if now_s - self._heartbeat_s > 2 * _HEARTBEAT_S:
            self._steady_since_s = now_s
        self._heartbeat_s = now_s
        statement = _HEARTBEAT if self._store.sqlite else _HEARTBEAT_POSTGRESQL
        connection.execute(statement, {"id": self.id, "now": now_ms()})

    def is_alive(self, connection: sa.Connection, worker_id: str) -> bool:
        """Whether a worker's process still runs."""
        if self._store.sqlite:
            return not _lockable(self._lock_file(worker_id))
        # A lock of this transaction: where it can be taken, it is gone again with the transaction.
        try_lock = sa.text("SELECT pg_try_advisory_xact_lock(:key)")
        return not connection.execute(try_lock, {"key": _key(worker_id)}).scalar_one()

    def running(self, connection: sa.Connection) -> int:
        """How many registered workers still run."""
        worker_ids = connection.execute(sa.text("SELECT id FROM worker")).scalars().all()
        return sum(self.is_alive(connection, worker_id) for worker_id in worker_ids)

    def dead_workers(self, connection: sa.Connection) -> list[str]:
        """Registered workers whose process is gone."""
        others = connection.execute(sa.text("SELECT id FROM worker WHERE id <> :id"), {"id": self.id})
        dead = [worker_id for worker_id in others.scalars() if not self.is_alive(connection, worker_id)]
        if not self._store.sqlite and time.monotonic() - self._steady_since_s > _STEADY_S:
            lost = connection.execute(_LOST, {"id": self.id, "lost": round(_LOST_S * 1000)})
            dead += [worker_id for worker_id in lost.scalars() if worker_id not in dead]
        return dead

    def remove_lock_file(self, worker_id: str) -> None:
        """Remove what a dead worker left in the data dir."""
        if self._store.sqlite:
            self._lock_file(worker_id).unlink(missing_ok=True)

    def _lock_file(self, worker_id: str) -> Path:
        return self._folder / f"{worker_id}.lock"


def release_worker(direct: RawConnection, worker_id: str) -> int:
    """Release a worker's lanes and deliveries, and forget it. Returns how many it had in flight."""
    parameters = {"id": worker_id, "now": now_ms()}
    ids: list[int] = []
    for select, update, table in _RELEASE:
        ids = [id_ for (id_,) in direct.rows(select, parameters)]
        direct.each(
            ids,
            functools.partial(_update, direct, update, parameters),
            functools.partial(leave, table),
        )
    direct.run(_FORGET, parameters)
    return len(ids)  # of the last statement: the deliveries that the worker had claimed


def _update(direct: RawConnection, sql: str, parameters: Mapping[str, object], ids: Sequence[int]) -> None:
    direct.run(sql, {**parameters, "ids": ids})


def _key(worker_id: str) -> int:
    """An advisory lock's key: 64 bits, signed."""
    return int(worker_id, 16) - (1 << 63)


def _lockable(path: Path) -> bool:
    """Whether nobody holds the lock of a file. One that is not there is nobody's."""
    try:
        fd = try_lock(path, flags=0)
    except FileNotFoundError:
        return True
    if fd is None:
        return False
    os.close(fd)
    return True
