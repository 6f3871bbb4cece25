"""Who is alive: a worker process holds a lock for as long as it runs, and the kernel lets go of it at once.

Whoever can take a worker's lock knows it dead and sets its deliveries free, without waiting for a lease.
SQLite: an flock on ``workers/<id>.lock`` in the data dir. PostgreSQL: a session advisory lock, which also
works from another machine. A machine that is lost takes its connection's end with it and may seem alive for
hours: there, a worker whose beat has stopped counts as dead too, by the clock of the database.
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
# Each as what is to be freed, and how.
_FREE: Final = (
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
_CLOCK: Final = "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)"
_BEAT = sa.text("UPDATE worker SET beat_at = :now WHERE id = :id")
_BEAT_POSTGRESQL = sa.text(f"UPDATE worker SET beat_at = {_CLOCK} WHERE id = :id")
_LOST = sa.text(f"SELECT id FROM worker WHERE id <> :id AND beat_at < {_CLOCK} - :lost")
BEAT_SECONDS: Final = 5.0
_LOST_SECONDS: Final = 20.0
# After the database was away all beats are old: the others get this long to beat again.
_STEADY_SECONDS: Final = 15.0


class Liveness:
    """This process's proof of life, and the way to find out who else is alive."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self.id = secrets.token_hex(8)
        self._store = store
        self._folder = settings.data / "workers"
        self._own: int | sa.Connection | None = None
        self._beat_at = self._steady_since = -math.inf  # monotonic

    def take(self) -> None:
        """Hold the lock, then say so in the table: in this order, or others would find us dead."""
        if self._store.sqlite:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            self._own = hold_lock(self._lock_file(self.id))
        else:
            with translated(ReadFailed):
                self._own = self._store.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
                self._own.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": _key(self.id)})
        row = {"id": self.id, "host": socket.gethostname(), "pid": os.getpid(), "now": now_ms()}
        with self._store.write(wait=None) as session:
            session.connection().execute(_REGISTER, row)
            self.beat(session.connection())

    def leave(self) -> None:
        """Free what we own and let the lock go."""
        with self._store.direct(wait=None) as direct:
            free(direct, self.id)
        if isinstance(self._own, int):
            os.close(self._own)
            self._lock_file(self.id).unlink(missing_ok=True)
        elif self._own is not None:
            self._own.close()

    def confirm(self, direct: RawConnection) -> None:
        """PostgreSQL: raise Replaced where others have taken us for dead, and have what was ours."""
        known = "SELECT 1 FROM worker WHERE id = :id"
        if not self._store.sqlite and direct.row(known, {"id": self.id}) is None:
            raise Replaced("Other workers have taken this one for dead.")

    @property
    def beat_is_due(self) -> bool:
        return time.monotonic() - self._beat_at >= BEAT_SECONDS

    def beat(self, connection: sa.Connection) -> None:
        """Tell that we live."""
        now = time.monotonic()
        if now - self._beat_at > 2 * BEAT_SECONDS:
            self._steady_since = now
        self._beat_at = now
        statement = _BEAT if self._store.sqlite else _BEAT_POSTGRESQL
        connection.execute(statement, {"id": self.id, "now": now_ms()})

    def check(self) -> None:
        """PostgreSQL: raise Replaced if the connection that carries our lock is gone."""
        if isinstance(self._own, sa.Connection):
            try:
                self._own.execute(sa.text("SELECT 1"))
            except sa.exc.OperationalError as error:
                raise Replaced(
                    "The database has ended the connection that proves this worker alive."
                ) from error

    def alive(self, connection: sa.Connection, worker_id: str) -> bool:
        """Whether a worker's process still runs."""
        if self._store.sqlite:
            return not _lockable(self._lock_file(worker_id))
        # Only looked at, in this transaction: a lock taken here is gone with it.
        taken = sa.text("SELECT pg_try_advisory_xact_lock(:key)")
        return not connection.execute(taken, {"key": _key(worker_id)}).scalar_one()

    def running(self, connection: sa.Connection) -> int:
        """How many workers of the table still run."""
        known = connection.execute(sa.text("SELECT id FROM worker")).scalars().all()
        return sum(self.alive(connection, worker) for worker in known)

    def dead_workers(self, connection: sa.Connection) -> list[str]:
        """Workers of the table whose process is gone."""
        others = connection.execute(sa.text("SELECT id FROM worker WHERE id <> :id"), {"id": self.id})
        dead = [worker for worker in others.scalars() if not self.alive(connection, worker)]
        if not self._store.sqlite and time.monotonic() - self._steady_since > _STEADY_SECONDS:
            lost = connection.execute(_LOST, {"id": self.id, "lost": round(_LOST_SECONDS * 1000)})
            dead += [worker for worker in lost.scalars() if worker not in dead]
        return dead

    def forget(self, worker_id: str) -> None:
        """Remove what a dead worker left in the data dir."""
        if self._store.sqlite:
            self._lock_file(worker_id).unlink(missing_ok=True)

    def _lock_file(self, worker_id: str) -> Path:
        return self._folder / f"{worker_id}.lock"


def free(direct: RawConnection, worker_id: str) -> int:
    """Set a worker's lanes and deliveries free; the answer is how many deliveries it had in flight."""
    parameters = {"id": worker_id, "now": now_ms()}
    found: list[int] = []
    for select, update, table in _FREE:
        found = [number for (number,) in direct.rows(select, parameters)]
        direct.each(
            found,
            functools.partial(_change, direct, update, parameters),
            functools.partial(leave, table),
        )
    direct.run(_FORGET, parameters)
    return len(found)


def _change(direct: RawConnection, sql: str, parameters: Mapping[str, object], ids: Sequence[int]) -> None:
    direct.run(sql, {**parameters, "ids": ids})


def _key(worker_id: str) -> int:
    return int(worker_id, 16) - (1 << 63)


def _lockable(path: Path) -> bool:
    try:
        fd = try_lock(path, flags=0)
    except FileNotFoundError:
        return True
    if fd is None:
        return False
    os.close(fd)
    return True
