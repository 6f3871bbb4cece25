"""Column types and arguments that tables share."""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa

SERIAL: Final = {"sqlite_autoincrement": True}  # an id is never given twice, not after a purge either
Id: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # SQLite serials have to be INTEGER


class Words(sa.TypeDecorator[tuple[str, ...]]):
    """A column of several words of the wire, kept as text with commas between them; none is ""."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Sequence[str] | None, dialect: sa.Dialect) -> str:
        return ",".join(value or ())

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> tuple[str, ...]:
        return split_words(value or "")


def split_words(text: str) -> tuple[str, ...]:
    """The words of a ``Words`` column, as a connection below SQLAlchemy reads it."""
    return tuple(text.split(",")) if text else ()
