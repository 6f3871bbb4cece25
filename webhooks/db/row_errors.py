"""Rows that the database refuses: found among many of a transaction, and told apart from other errors.

Many rows are written in one go first. Where that fails, halves are written under savepoints, down to the rows
that fail alone. The caller is told of these, and the rest is committed.
"""

import logging
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, TypeVar

from webhooks.cleaning import clean
from webhooks.errors import SpokeError

_Item = TypeVar("_Item")
Savepoint = Callable[[], AbstractContextManager[Any]]

# SQLSTATE classes of errors about a value or a row: data, constraints, limits, what a trigger raises.
_ROW_CLASSES: Final = ("22", "23", "54", "P0")
_ROW_STATES: Final = ("XX001", "XX002")  # a damaged row, a damaged index
_ROW_ERRORS: Final = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.InterfaceError)
_DRIVER_ERRORS: Final = frozenset(
    ("OperationalError", "InternalError", "InterfaceError", "DatabaseError", "TimeoutError")
)
_LEFT_SECONDS: Final = 300.0

log = logging.getLogger(__name__)
_left: dict[tuple[str, int], float] = {}


def of_one_row(error: BaseException) -> bool:
    """Whether an error is about the row or value at hand, so that leaving the row out helps.

    Other errors concern the transaction, the whole database (away, full, a deadlock), or a statement.
    """
    error = getattr(error, "orig", None) or error  # SQLAlchemy wraps the driver's
    state = getattr(error, "sqlstate", None)
    if state is not None:
        return state[:2] in _ROW_CLASSES or state in _ROW_STATES
    if isinstance(error, _ROW_ERRORS):
        return True
    if isinstance(error, SpokeError | OSError | MemoryError) or type(error).__name__ in _DRIVER_ERRORS:
        return False
    # A value that the driver cannot even hand on: an integer beyond 64 bits, NUL, a lone surrogate.
    return isinstance(error, Exception)


def tried(savepoint: Savepoint, write: Callable[[], object]) -> Exception | None:
    """Write under a savepoint. Returns why the database refused a row, or None. Raises all other errors."""
    try:
        with savepoint():
            write()
    except Exception as error:
        if not of_one_row(error):
            raise
        return error
    return None


def each(
    savepoint: Savepoint,
    items: Sequence[_Item],
    write: Callable[[Sequence[_Item]], object],
    refused: Callable[[_Item, Exception], object],
) -> None:
    """Write items in one go, or in ever smaller parts; call ``refused`` for each that fails alone.

    ``write`` may be called again for the same item: what it did to the database was undone then.
    """
    if not items:
        return
    error = tried(savepoint, lambda: write(items))
    if error is None:
        return
    if len(items) == 1:
        refused(items[0], error)
        return
    half = len(items) // 2
    each(savepoint, items[:half], write, refused)
    each(savepoint, items[half:], write, refused)


def reason(error: Exception) -> str:
    """Say in one line why the database refused a row, without the row's values: these are private."""
    first = str(getattr(error, "orig", None) or error).partition("\n")[0]
    return clean(first)[:300].strip().rstrip(".") or type(error).__name__


def leave(what: str, number: int, error: Exception) -> None:
    """Leave a row that cannot be written alone for five minutes. ``what`` is its table."""
    now = time.monotonic()
    for key in [key for key, until in list(_left.items()) if until < now]:
        _left.pop(key, None)
    _left[what, number] = now + _LEFT_SECONDS
    log.error(
        "row cannot be written; it is left alone for five minutes",
        extra={"table": what, "row": number, "reason": reason(error)},
    )


def left_alone(what: str) -> frozenset[int]:
    """Return the ids of a table's rows that are left alone now."""
    if not _left:
        return frozenset()
    now = time.monotonic()
    return frozenset(
        number for (table, number), until in list(_left.items()) if table == what and until >= now
    )
