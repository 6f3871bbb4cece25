"""The driver's own connection, for the few statements that run for every event and every delivery.

A statement takes 0.1 ms through SQLAlchemy and 0.01 ms through sqlite3 itself, which decides at thousands of
rows a second. SQL is written once for both databases, with ``:name`` parameters and ``IN :ids`` for a list of
integers.
"""

import contextlib
import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy import orm

from webhooks.db import row_errors

_Item = TypeVar("_Item")
_NAME: Final = re.compile(r"(?<![:\w]):(\w+)")
Row = tuple[Any, ...]


@functools.cache
def _sqlite(sql: str) -> str:
    return sql.replace("IN :ids", "IN (SELECT value FROM json_each(:ids))")


@functools.cache
def _postgresql(sql: str) -> str:
    return _NAME.sub(r"%(\1)s", _any_of_ids(sql.replace("%", "%%")))


def text_with_ids(sql: str) -> sa.TextClause:
    """Make a statement for SQLAlchemy that has ``IN :ids``."""
    return sa.text(sql).bindparams(sa.bindparam("ids", expanding=True))


def rows_with_ids(
    session: orm.Session, sql: str, ids: Sequence[int], **parameters: Any
) -> Sequence[sa.Row[Any]]:
    """Run a query that has ``IN :ids``: one statement for any number of them, which PostgreSQL plans once."""
    sqlite = is_sqlite(session)
    bound = {**parameters, "ids": json.dumps([*ids]) if sqlite else [*ids]}
    return session.execute(_text(sql, sqlite), bound).all()


@functools.cache
def _text(sql: str, sqlite: bool) -> sa.TextClause:
    return sa.text(_sqlite(sql) if sqlite else _any_of_ids(sql))


def _any_of_ids(sql: str) -> str:
    return sql.replace("IN :ids", "= ANY(:ids)")


def is_sqlite(session: orm.Session) -> bool:
    """Whether a session's database is SQLite; else it is PostgreSQL."""
    return session.get_bind().dialect.name == "sqlite"


def among(
    session: orm.Session, column: orm.InstrumentedAttribute[int], ids: Sequence[int]
) -> sa.ColumnElement[bool]:
    """Make a condition that a column is one of many ids: a single value is sent, where IN sends thousands."""
    if is_sqlite(session):
        return column.in_(sa.select(sa.func.json_each(json.dumps([*ids])).table_valued("value").c.value))
    return column == sa.any_(sa.literal([*ids], sa.ARRAY(sa.BigInteger)))


class RawConnection:
    """A transaction's connection. Rows are tuples.

    ``careful``: ``tried`` and ``each`` survive a row that the database refuses. Without it they are quicker,
    and such a row's error ends the transaction; the caller then repeats it with care.
    """

    def __init__(self, connection: Any, sqlite: bool, careful: bool = True) -> None:
        self.connection, self.sqlite, self.careful = connection, sqlite, careful

    def run(self, sql: str, parameters: Mapping[str, Any] | None = None) -> int:
        """Run a statement. Returns how many rows it changed."""
        return int(self._execute(sql, parameters or {}).rowcount)

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        """Run a query, or a statement with RETURNING. Returns all rows."""
        rows: list[Row] = self._execute(sql, parameters or {}).fetchall()
        return rows

    def row(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Row | None:
        """Run a query. Returns the first row, or None."""
        rows = self.rows(sql, parameters)
        return rows[0] if rows else None

    def many(self, sql: str, parameters: Sequence[Mapping[str, Any]]) -> None:
        """Run a statement once for each set of parameters."""
        text = _sqlite(sql) if self.sqlite else _postgresql(sql)
        if self.sqlite:
            self.connection.executemany(text, parameters)
        else:
            self.connection.cursor().executemany(text, parameters)

    @contextlib.contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo on any exception what was done inside; the transaction goes on."""
        self.run("SAVEPOINT apart")
        try:
            yield
        except Exception:
            self.run("ROLLBACK TO SAVEPOINT apart")
            self.run("RELEASE SAVEPOINT apart")
            raise
        self.run("RELEASE SAVEPOINT apart")

    def tried(self, write: Callable[[], object]) -> Exception | None:
        """Write. Returns why the database refused a row, or None."""
        if self.careful:
            return row_errors.tried(self.savepoint, write)
        write()
        return None

    def each(
        self,
        items: Sequence[_Item],
        write: Callable[[Sequence[_Item]], object],
        refused: Callable[[_Item, Exception], object],
    ) -> None:
        """Write items in one go, or without those that the database refuses (``row_errors.each``)."""
        if self.careful:
            row_errors.each(self.savepoint, items, write, refused)
        elif items:
            write(items)

    def _execute(self, sql: str, parameters: Mapping[str, Any]) -> Any:
        if "ids" in parameters:
            ids = list(parameters["ids"])
            parameters = {**parameters, "ids": json.dumps(ids) if self.sqlite else ids}
        return self.connection.execute(_sqlite(sql) if self.sqlite else _postgresql(sql), parameters)


Connection = sa.Connection | RawConnection


def run(connection: Connection, sql: str, parameters: Mapping[str, Any]) -> None:
    """Run a statement on either kind of connection."""
    if isinstance(connection, RawConnection):
        connection.run(sql, parameters)
    else:
        connection.execute(sa.text(sql), parameters)
