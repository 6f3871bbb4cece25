"""Single values: a typed key for each row of the table ``meta``, which nothing else reads or writes.

Methods work in the caller's transaction, whichever kind of connection that has.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import sqlalchemy as sa

from webhooks.db.raw import Connection, RawConnection, run

_Value = TypeVar("_Value", str, int)

_READ: Final = "SELECT value FROM meta WHERE key = :key"
_WRITE: Final = """
    INSERT INTO meta (key, value) VALUES (:key, :value) ON CONFLICT (key) DO UPDATE SET value = :value
"""
_INCREMENT: Final = "UPDATE meta SET value = CAST(CAST(value AS BIGINT) + 1 AS TEXT) WHERE key = :key"


@dataclass(frozen=True, slots=True)
class Key(Generic[_Value]):
    """A row's name, and the type of its value."""

    name: str
    type: Callable[[str], _Value]

    def get(self, connection: Connection) -> _Value | None:
        """Read the value. Returns None where it was never set."""
        return self._parsed(_READ, connection)

    def get_locked(self, connection: Connection) -> _Value | None:
        """Read the value and keep other writers from it until the transaction ends."""
        return self._parsed(_READ if _is_sqlite(connection) else f"{_READ} FOR UPDATE", connection)

    def set(self, connection: Connection, value: _Value) -> None:
        """Write the value."""
        run(connection, _WRITE, {"key": self.name, "value": str(value)})

    def _parsed(self, sql: str, connection: Connection) -> _Value | None:
        parameters = {"key": self.name}
        if isinstance(connection, RawConnection):
            row = connection.row(sql, parameters)
            text = None if row is None else row[0]
        else:
            text = connection.execute(sa.text(sql), parameters).scalar()
        return None if text is None else self.type(str(text))


ADMIN_PASSWORD_HASH: Final = Key("admin_password_hash", str)
SESSION_EPOCH: Final = Key("session_epoch", int)  # sessions of a former epoch have ended
SEALED_WITH: Final = Key("sealed_with", str)  # the id of the secret key that sealed all secrets
INDEXED_EVENT: Final = Key("digested_event", int)  # the last event that the indexer has read
RENUMBER_BELOW: Final = Key("renumber_below", int)  # events below this id wait for their numbers; 0: none
ALERTS_LOOKED_AT: Final = Key("alerts_looked_at", int)  # ms; its row is locked by who looks
_CONFIG_VERSION: Final = Key("config_version", int)


def clock_offset_ms(boot_id: str) -> Key[int]:
    """The wall clock's distance from the monotonic clock, in ms; each boot of a machine has its own."""
    return Key(f"clock:{boot_id}", int)


def config_version(connection: Connection) -> int:
    """Read the configuration's version. A reader of each transaction never acts on a former one."""
    version = _CONFIG_VERSION.get(connection)
    assert version is not None, "the first migration writes it"
    return version


def config_changed(connection: Connection) -> None:
    """Raise the configuration's version, in the transaction that changes the configuration."""
    run(connection, _INCREMENT, {"key": _CONFIG_VERSION.name})


def _is_sqlite(connection: Connection) -> bool:
    if isinstance(connection, RawConnection):
        return connection.sqlite
    return connection.dialect.name == "sqlite"
