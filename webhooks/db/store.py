"""Transactions on SQLite and PostgreSQL, and the base of the models."""

import contextlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event, orm
from sqlalchemy.pool import PoolProxiedConnection

from webhooks.db.connections import database_url, engine_options, prepare_postgresql, prepare_sqlite
from webhooks.db.failures import Failure, failed, is_lost, one_of_each, reason, translated
from webhooks.db.raw import RawConnection
from webhooks.db.row_errors import of_one_row
from webhooks.db.write_lock import WRITE_WAIT_SECONDS, KernelLock
from webhooks.errors import ReadFailed, Unconfirmed, WriteFailed
from webhooks.keyring import Keyring
from webhooks.settings import Settings
from webhooks.vault import Vault, use

_SPARE: Final = 2  # connections below SQLAlchemy that are kept out of the pool
SCHEMA_HEAD: Final = "0019"  # the newest file of migrations/versions; a test compares
_NAMING: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(orm.DeclarativeBase):
    metadata = sa.MetaData(naming_convention=_NAMING)


db = SQLAlchemy(model_class=Base, disable_autonaming=True)
if TYPE_CHECKING:
    Model = Base  # what Flask-SQLAlchemy makes of it at run time, no type checker can see
else:
    Model = db.Model


def now_ms() -> int:
    """Read the wall clock: whole milliseconds UTC, the unit of every time in the tables."""
    return time.time_ns() // 1_000_000


class Moment(sa.TypeDecorator[datetime]):
    """A column of aware datetimes, kept as milliseconds UTC: 8 bytes in an index where text takes 26."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | None:
        return None if value is None else round(value.timestamp() * 1000)

    def process_result_value(self, value: int | None, dialect: sa.Dialect) -> datetime | None:
        return None if value is None else datetime.fromtimestamp(value / 1000, UTC)


class Store:
    """One process's access to the database.

    Args:
        durable: SQLite only; ``False`` commits without waiting for the disk (``synchronous=NORMAL``). For
            the dispatcher, where a power cut then means a repeated delivery, which is allowed.
    """

    def __init__(self, settings: Settings, engine: sa.Engine | None = None, *, durable: bool = True) -> None:
        self.sqlite = settings.sqlite
        self.engine = engine or sa.create_engine(database_url(settings), **engine_options(settings))
        self.vault = Vault(Keyring(settings))
        use(self.engine, self.vault)
        self._writing = self.engine.execution_options(spoke_write=True)
        self._lock = KernelLock(settings.data / "write.lock") if self.sqlite else None
        self._spare: list[PoolProxiedConnection] = []
        # PostgreSQL gives each statement a snapshot of its own anyway (READ COMMITTED): BEGIN and ROLLBACK
        # would only be two more round trips. On SQLite a read sees one state of the database.
        self._reading = self.engine
        if self.sqlite:
            prepare_sqlite(self.engine, durable)
            event.listen(self.engine, "engine_disposed", lambda _engine: self._drop_spare())
        else:
            prepare_postgresql(self.engine)
            self._reading = self.engine.execution_options(isolation_level="AUTOCOMMIT")

    @contextlib.contextmanager
    def read(self) -> Iterator[orm.Session]:
        """Open a short read. End it before rendering: on SQLite a long one keeps the WAL from shrinking.

        On SQLite all of it sees one state of the database; on PostgreSQL each statement sees the newest.

        Raises:
            ReadFailed: the database cannot be reached or read now.
        """
        with translated(ReadFailed), orm.Session(self._reading, expire_on_commit=False) as session:
            yield session

    @contextlib.contextmanager
    def write(self, wait: float | None = WRITE_WAIT_SECONDS) -> Iterator[orm.Session]:
        """Open a write transaction: committed at the end, rolled back on any exception.

        Args:
            wait: seconds for the lock, ``None`` for ever.

        Raises:
            WriteTimedOut: the lock was not to be had within ``wait`` seconds.
            WriteFailed: the database or its disk cannot take a write now.
            Unconfirmed: the database went away in the middle of the commit.
            Conflict: another transaction was first to write what may be there once.
        """
        with (
            translated(WriteFailed),
            one_of_each(),
            self._lock.held(wait) if self._lock else contextlib.nullcontext(),
            orm.Session(self._writing, expire_on_commit=False) as session,
        ):
            session.begin()
            yield session
            session.flush()
            with self._unconfirmed_if_lost():
                session.commit()

    @contextlib.contextmanager
    def direct(
        self, wait: float | None = WRITE_WAIT_SECONDS, *, careful: bool = True
    ) -> Iterator[RawConnection]:
        """Open a write transaction below SQLAlchemy, otherwise as ``write``.

        ``careful`` as in ``RawConnection``.

        Raises:
            WriteTimedOut, WriteFailed, Unconfirmed: as ``write``.
        """
        with (
            self._lock.held(wait) if self._lock else contextlib.nullcontext(),
            self._driver(WriteFailed) as connection,
        ):
            if self.sqlite:
                connection.execute("BEGIN IMMEDIATE")
            try:
                yield RawConnection(connection, self.sqlite, careful)
                with self._unconfirmed_if_lost():
                    connection.commit()
            except Unconfirmed:
                raise  # there is no connection to roll back on
            except BaseException:
                connection.rollback()
                raise

    @contextlib.contextmanager
    def direct_read(self) -> Iterator[RawConnection]:
        """Read below SQLAlchemy. Each statement sees what was committed before it.

        Raises:
            ReadFailed: as ``read``.
        """
        with self._driver(ReadFailed) as connection:
            if self.sqlite:
                yield RawConnection(connection, self.sqlite)
                return
            connection.autocommit = True
            try:
                yield RawConnection(connection, self.sqlite)
            finally:
                if not connection.closed:
                    connection.autocommit = False

    def finds(self, sql: str, **parameters: object) -> bool:
        """Whether a query finds anything, below SQLAlchemy: for what is asked every second, mostly in vain.

        Raises:
            ReadFailed: as ``read``.
        """
        with self.direct_read() as direct:
            return direct.row(sql, parameters) is not None

    @contextlib.contextmanager
    def _driver(self, failure: Failure) -> Iterator[Any]:
        driver = self.engine.dialect.loaded_dbapi
        raw = None
        try:
            with translated(failure):
                raw = self._checked_out()
            yield raw.driver_connection
        except Unconfirmed:
            if raw is not None:
                raw.invalidate()
            raise
        except (driver.OperationalError, driver.InternalError) as error:
            if of_one_row(error):
                raise
            if raw is not None:
                raw.invalidate()  # whatever state it is in
            raise failed(failure, error) from error
        finally:
            if raw is not None:
                self._give_back(raw)

    def _checked_out(self) -> PoolProxiedConnection:
        try:
            return self._spare.pop()
        except IndexError:
            return self.engine.raw_connection()

    def _give_back(self, raw: PoolProxiedConnection) -> None:
        """Keep a connection of SQLite at hand: the pool takes longer than a short statement.

        One to a server goes back to the pool, which resets it.
        """
        if self.sqlite and raw.is_valid and len(self._spare) < _SPARE:
            self._spare.append(raw)
        else:
            raw.close()

    def _drop_spare(self) -> None:
        while self._spare:
            self._spare.pop().invalidate()

    @contextlib.contextmanager
    def _unconfirmed_if_lost(self) -> Iterator[None]:
        """Raise Unconfirmed where the connection to PostgreSQL ends in a commit.

        A commit that the server itself refuses is rolled back, and so is every one that SQLite fails.
        """
        try:
            yield
        except Exception as error:
            if self.sqlite or not is_lost(error):
                raise
            raise Unconfirmed(
                f"The database did not confirm the write ({reason(error)}): it was made, or it was not."
            ) from error

    def checkpoint_turn(self) -> contextlib.AbstractContextManager[None]:
        """Hold the writers' lock without a transaction, for what SQLite does outside of one."""
        return self._lock.held() if self._lock else contextlib.nullcontext()
