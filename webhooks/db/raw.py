"""The driver's own connection, for the few statements that run for every event and every delivery.

SQLAlchemy takes a tenth of a millisecond a statement and sqlite3 a hundredth; at thousands of rows a second
that is the difference. The SQL is written once: ``:name`` parameters, and ``IN :ids`` for a list of integers.
"""

import contextlib
import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

import sqlalchemy as sa

from webhooks.db import row_errors

_Item = TypeVar("_Item")
_NAME: Final = re.compile(r"(?<![:\w]):(\w+)")
Row = tuple[Any, ...]


@functools.cache
def _sqlite(sql: str) -> str:
    return sql.replace("IN :ids", "IN (SELECT value FROM json_each(:ids))")


@functools.cache
def _postgresql(sql: str) -> str:
    return _NAME.sub(r"%(\1)s", sql.replace("%", "%%").replace("IN :ids", "= ANY(:ids)"))


def text_with_ids(sql: str) -> sa.TextClause:
    """A statement for SQLAlchemy that has ``IN :ids`` too."""
    return sa.text(sql).bindparams(sa.bindparam("ids", expanding=True))


class RawConnection:
    """A transaction's connection. Rows are tuples.

    ``careful``: ``tried`` and ``each`` set a row that the database refuses apart from the others. Without
    it, which is quicker, its error ends the transaction, for the caller to repeat it with care.
    """

    def __init__(self, connection: Any, sqlite: bool, careful: bool = True) -> None:
        self._connection, self.sqlite, self.careful = connection, sqlite, careful

    def run(self, sql: str, parameters: Mapping[str, Any] | None = None) -> int:
        """How many rows it changed."""
        return int(self._execute(sql, parameters or {}).rowcount)

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        """All rows of a query, or of a RETURNING."""
        found: list[Row] = self._execute(sql, parameters or {}).fetchall()
        return found

    def row(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Row | None:
        """The first row, None if there is none."""
        found = self.rows(sql, parameters)
        return found[0] if found else None

    def many(self, sql: str, parameters: Sequence[Mapping[str, Any]]) -> None:
        """The same statement for each of the parameters."""
        text = _sqlite(sql) if self.sqlite else _postgresql(sql)
        if self.sqlite:
            self._connection.executemany(text, parameters)
        else:
            self._connection.cursor().executemany(text, parameters)

    @contextlib.contextmanager
    def savepoint(self) -> Iterator[None]:
        """What is done in it is undone on any exception, and the transaction goes on."""
        self.run("SAVEPOINT apart")
        try:
            yield
        except Exception:
            self.run("ROLLBACK TO SAVEPOINT apart")
            self.run("RELEASE SAVEPOINT apart")
            raise
        self.run("RELEASE SAVEPOINT apart")

    def tried(self, write: Callable[[], object]) -> Exception | None:
        """Write; the answer is why the database refused a row."""
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
        """Write items in one go, or one by one where the database refuses some (``apart.each``)."""
        if self.careful:
            row_errors.each(self.savepoint, items, write, refused)
        elif items:
            write(items)

    def _execute(self, sql: str, parameters: Mapping[str, Any]) -> Any:
        if "ids" in parameters:
            ids = list(parameters["ids"])
            parameters = {**parameters, "ids": json.dumps(ids) if self.sqlite else ids}
        return self._connection.execute(_sqlite(sql) if self.sqlite else _postgresql(sql), parameters)
