"""Column types and arguments that tables share."""

from typing import Final

import sqlalchemy as sa

SERIAL: Final = {"sqlite_autoincrement": True}  # an id is never given twice, not after a purge either
Id: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # SQLite serials have to be INTEGER
