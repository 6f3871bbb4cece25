"""Connections to the database: how they are made, and whether a kept one still lives."""

import select
import time
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event

from webhooks.settings import Settings

# A page's statements are planned longer than they run: once for a connection is enough.
_PREPARED_AFTER: Final = 2  # executions
_PREPARED_MOST: Final = 500  # statements of a connection
_IDLE_S: Final = 30.0  # a firewall may forget a connection that is idle for longer


def database_url(settings: Settings) -> sa.URL:
    """Make SQLAlchemy's URL of the database, with the driver that is installed."""
    if settings.sqlite:
        return sa.URL.create("sqlite", database=str(settings.sqlite_file))
    return sa.make_url(settings.database_url or "").set(drivername="postgresql+psycopg")


def engine_options(settings: Settings) -> dict[str, Any]:
    """Make the arguments for ``create_engine``. Connections are opened at first use, so after any fork."""
    if settings.sqlite:
        arguments = {"check_same_thread": False, "isolation_level": None}
        return {"connect_args": arguments, "pool_size": 24, "max_overflow": 8}
    return {
        "connect_args": {"connect_timeout": 5, "prepare_threshold": _PREPARED_AFTER},
        "pool_size": 10,
        "max_overflow": 14,
        "pool_use_lifo": True,  # the connection used last has the statements prepared
    }


def prepare_sqlite(engine: sa.Engine, durable: bool) -> None:
    """Set the pragmas of each new connection, and begin transactions as their options say."""

    @event.listens_for(engine, "connect")
    def set_pragmas(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for pragma in (
            "busy_timeout = 5000",  # before any other: the next ones may already meet a lock
            "foreign_keys = ON",
            f"synchronous = {'FULL' if durable else 'NORMAL'}",
            # Housekeeping checkpoints; this is for a site that runs the web half alone.
            "wal_autocheckpoint = 20000",
            f"journal_size_limit = {64 << 20}",
            "temp_store = MEMORY",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        # The driver's own transaction control is off: what will write has to say so from the start.
        write = connection.get_execution_options().get("spoke_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def prepare_postgresql(engine: sa.Engine) -> None:
    """Keep prepared statements, and have each kept connection checked before it is used, at no round trip.

    A server that goes down says so and closes: its connection has something to read. Such a one is asked, and
    one that was idle for long. SQLAlchemy's own ``pool_pre_ping`` asks each time.
    """

    @event.listens_for(engine, "connect")
    def keep_prepared(connection: Any, _record: Any) -> None:
        connection.prepared_max = _PREPARED_MOST

    @event.listens_for(engine, "checkin")
    def note_use(_connection: Any, record: Any) -> None:
        record.info["used_s"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def check(connection: Any, record: Any, _proxy: Any) -> None:
        used_s = record.info.get("used_s")
        if used_s is None:  # it is new
            return
        if time.monotonic() - used_s < _IDLE_S and not _has_something_to_read(connection):
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            # All older ones are dropped with it, and a new one is made.
            raise sa.exc.InvalidatePoolError from error


def _has_something_to_read(connection: Any) -> bool:
    try:
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN)
        return bool(poll.poll(0))
    except (OSError, ValueError, connection.OperationalError):  # it is closed
        return True
