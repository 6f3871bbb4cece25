"""Drivers' errors become ours: by what was tried, and by whether the connection is gone."""

import sqlite3

import psycopg
import pytest
import sqlalchemy as sa

from webhooks.db.failures import is_lost, one_of_each, translated
from webhooks.errors import Conflict, ReadFailed, WriteFailed


def wrapped(error: Exception) -> sa.exc.OperationalError:
    """The error as SQLAlchemy raises it."""
    return sa.exc.OperationalError("SELECT 1", None, error)


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (psycopg.OperationalError("the connection is lost"), True),
        (psycopg.errors.AdminShutdown(), True),
        (psycopg.errors.ConnectionFailure(), True),
        (psycopg.errors.SerializationFailure(), False),
        (psycopg.errors.DiskFull(), False),
        (sqlite3.OperationalError("disk I/O error"), False),
        (OSError("a file"), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_connection_is_lost_where_no_server_answered_or_it_shuts_down(error: Exception, lost: bool) -> None:
    assert is_lost(error) is lost
    assert is_lost(wrapped(error)) is lost


@pytest.mark.parametrize(
    ("failure", "sentence"),
    [
        (ReadFailed, "The database cannot be read now (database is locked)."),
        (WriteFailed, "The database cannot take a write now (database is locked); nothing was written."),
    ],
)
def test_the_sentence_says_what_failed(failure: type[ReadFailed] | type[WriteFailed], sentence: str) -> None:
    with pytest.raises(failure) as caught, translated(failure):
        raise wrapped(sqlite3.OperationalError("database  is\nlocked"))
    assert str(caught.value) == sentence and caught.value.retry_after == 5


def test_an_error_of_one_row_stays_what_it_is() -> None:
    error = sa.exc.InternalError("INSERT", None, psycopg.errors.RaiseException("no"))
    with pytest.raises(sa.exc.InternalError), translated(WriteFailed):
        raise error


def refused_row(statement: str) -> None:
    """Have SQLite refuse a row."""
    with sa.create_engine("sqlite://").begin() as connection:
        connection.exec_driver_sql("CREATE TABLE place (name TEXT NOT NULL UNIQUE)")
        connection.exec_driver_sql("INSERT INTO place VALUES ('Office')")
        connection.exec_driver_sql(statement)


def test_what_may_be_there_once_and_was_written_first_by_another_is_a_conflict() -> None:
    with pytest.raises(Conflict, match="Somebody else"), one_of_each():
        refused_row("INSERT INTO place VALUES ('Office')")
    with pytest.raises(Conflict, match="Somebody else"), one_of_each():
        raise sa.exc.IntegrityError("INSERT", None, psycopg.errors.UniqueViolation())


def test_a_row_that_breaks_another_rule_is_no_conflict() -> None:
    with pytest.raises(sa.exc.IntegrityError), one_of_each():
        refused_row("INSERT INTO place VALUES (NULL)")
    with pytest.raises(sa.exc.IntegrityError), one_of_each():
        raise sa.exc.IntegrityError("INSERT", None, psycopg.errors.NotNullViolation())
