"""The driver's own connection, for the few statements that run for every event and every delivery.

SQLAlchemy takes a tenth of a millisecond a statement and sqlite3 a hundredth; at thousands of rows a second
that is the difference. The SQL is written once: ``:name`` parameters, and ``IN :ids`` for a list of integers.
"""

import functools
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

_NAME: Final = re.compile(r"(?<![:\w]):(\w+)")
Row = tuple[Any, ...]


@functools.cache
def _sqlite(sql: str) -> str:
    return sql.replace("IN :ids", "IN (SELECT value FROM json_each(:ids))")


@functools.cache
def _postgresql(sql: str) -> str:
    return _NAME.sub(r"%(\1)s", sql.replace("%", "%%").replace("IN :ids", "= ANY(:ids)"))


class Direct:
    """A transaction's connection. Rows are tuples.

    ``faults`` are the driver's errors about a value or a constraint; others concern the whole transaction.
    """

    def __init__(self, connection: Any, driver: Any, sqlite: bool) -> None:
        self._connection, self.sqlite = connection, sqlite
        self.faults: tuple[type[Exception], ...] = (driver.IntegrityError, driver.DataError)

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

    def _execute(self, sql: str, parameters: Mapping[str, Any]) -> Any:
        if "ids" in parameters:
            ids = list(parameters["ids"])
            parameters = {**parameters, "ids": json.dumps(ids) if self.sqlite else ids}
        return self._connection.execute(_sqlite(sql) if self.sqlite else _postgresql(sql), parameters)
