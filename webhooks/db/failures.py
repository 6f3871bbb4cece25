"""The drivers' errors about a database that is away, locked or full, as our own."""

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import Final

import sqlalchemy as sa

from webhooks.db.row_errors import of_one_row
from webhooks.errors import Conflict, ReadFailed, Unavailable, WriteFailed

Failure = type[ReadFailed] | type[WriteFailed]
_SENTENCES: Final[dict[type[Unavailable], str]] = {
    ReadFailed: "The database cannot be read now ({}).",
    WriteFailed: "The database cannot take a write now ({}); nothing was written.",
}
# SQLSTATE classes of a connection that has ended: connection exceptions, and a server that shuts down.
_LOST: Final = ("08", "57P")
_UNIQUE: Final = "23505"  # SQLSTATE unique_violation


@contextlib.contextmanager
def translated(failure: Failure) -> Iterator[None]:
    """Raise ``failure`` for SQLAlchemy's errors that concern more than one row."""
    try:
        yield
    except (sa.exc.OperationalError, sa.exc.InternalError, sa.exc.TimeoutError) as error:
        if of_one_row(error):
            raise
        raise failed(failure, error) from error


@contextlib.contextmanager
def one_of_each() -> Iterator[None]:
    """Raise Conflict where a row was to be written that another transaction has written first.

    Services look before they write. On PostgreSQL two may look in the same instant.
    """
    try:
        yield
    except sa.exc.IntegrityError as error:
        if not _is_doubled(error.orig):
            raise
        raise Conflict(
            "Somebody else has just done the same. Look at what is there now; nothing was changed here."
        ) from error


def _is_doubled(error: BaseException | None) -> bool:
    if isinstance(error, sqlite3.IntegrityError):
        return error.sqlite_errorcode in (
            sqlite3.SQLITE_CONSTRAINT_UNIQUE,
            sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
        )
    return getattr(error, "sqlstate", None) == _UNIQUE


def failed(failure: Failure, error: Exception) -> ReadFailed | WriteFailed:
    """Make the exception of a driver's error."""
    return failure(_SENTENCES[failure].format(reason(error)))


def reason(error: Exception) -> str:
    """Return the driver's words, in one line."""
    return " ".join(str(getattr(error, "orig", None) or error).split())


def is_lost(error: Exception) -> bool:
    """Whether the connection to PostgreSQL ended with this error, so that a commit's outcome is unknown."""
    driver_error = getattr(error, "orig", None) or error
    if not hasattr(driver_error, "sqlstate"):
        return False
    return driver_error.sqlstate is None or driver_error.sqlstate.startswith(_LOST)
