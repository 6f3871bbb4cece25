"""Creation and migration of the schema, by one process at a time."""

import contextlib
from collections.abc import Iterator
from typing import Final

import sqlalchemy as sa

from webhooks.data_dir import file_lock
from webhooks.db.store import SCHEMA_HEAD, Store
from webhooks.errors import StartError
from webhooks.settings import ROOT, Settings

_SCHEMA_LOCK: Final = 0x53706F6B66


@contextlib.contextmanager
def schema_lock(settings: Settings, store: Store) -> Iterator[None]:
    """Hold the lock of the schema, which is one for all machines that share the database."""
    if store.sqlite:
        with file_lock(settings.data / "schema.lock"):
            yield
        return
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": _SCHEMA_LOCK})
        try:
            yield
        finally:
            connection.execute(sa.text("SELECT pg_advisory_unlock(:key)"), {"key": _SCHEMA_LOCK})


def migrate(store: Store) -> None:
    """Create the schema, or bring it up to date. Raises StartError where a newer version made it."""
    with store.engine.connect() as connection:
        if sa.inspect(connection).has_table("alembic_version"):
            present = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
            if present == SCHEMA_HEAD:
                return
    if store.sqlite:
        _set_up_file(store)
    # Imported here: no later start needs it.
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(ROOT / "webhooks" / "db" / "migrations").replace("%", "%%"))
    with store.engine.connect() as connection:
        config.attributes |= {"connection": connection, "vault": store.vault}
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise StartError(
                f"The database was made by a newer version ({error}). Start that one, or restore a backup."
            ) from error
        connection.commit()
    _forget_former(store)


def _forget_former(store: Store) -> None:
    """Remove from the database's files what a migration has written anew, such as unsealed secrets."""
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not store.sqlite:
            connection.execute(sa.text("VACUUM FULL webhook, inbox_message"))
    if store.sqlite:
        raw = store.engine.raw_connection()
        try:
            raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            raw.close()


def _set_up_file(store: Store) -> None:
    """Set what SQLite has to know before the first table is made, outside of a transaction."""
    raw = store.engine.raw_connection()
    try:
        cursor = raw.cursor()
        cursor.execute("PRAGMA auto_vacuum = INCREMENTAL")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute(f"PRAGMA application_id = {0x53504F4B}")
        cursor.close()
    finally:
        raw.close()
