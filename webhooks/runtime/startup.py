"""Startup: make the data dir, the secret key, the schema and the admin's password.

Web, workers and commands may start at the same time; a lock lets one of them do it.
"""

import sqlalchemy as sa

from webhooks.data_dir import is_in_use, make_ready
from webhooks.db.schema import migrate, schema_lock
from webhooks.db.sealing import keep_sealed
from webhooks.db.store import Store
from webhooks.errors import StartError, Unavailable
from webhooks.keyring import secret_key
from webhooks.outbox import clock_skew
from webhooks.services.password import first_password
from webhooks.settings import Settings


def prepare(settings: Settings, store: Store) -> str | None:
    """Make what is missing. Returns the admin's password if it was generated now: print it, once.

    Raises:
        StartError: the data dir or the database cannot be used.
    """
    make_ready(settings)
    secret_key(settings)
    try:
        with schema_lock(settings, store):
            migrate(store)
            keep_sealed(settings, store)
            clock_skew.check(store)  # from now on a clock that jumps back is noticed
            return first_password(settings, store)
    except (Unavailable, sa.exc.SQLAlchemyError) as error:
        reason = " ".join(str(error.orig if isinstance(error, sa.exc.DBAPIError) else error).split())
        where = f"SPOKE_DATA_DIR={settings.data}" if settings.database_url is None else "DATABASE_URL"
        raise StartError(f"{where}: the database cannot be used: {reason}") from error
    finally:
        store.engine.dispose()  # no connection may be carried over a fork


def data_dir_hint(settings: Settings) -> str | None:
    """Say which data dir a command is for, where no appliance runs with it; to be asked before ``prepare``.

    With a forgotten SPOKE_DATA_DIR a command would work on a new database, and say that all is empty.
    """
    data = settings.data
    if not (data / "secret.key").exists():
        other = "if yours has another data dir, set SPOKE_DATA_DIR"
        return f"The data dir is {data}, a new one. No appliance runs there; {other}."
    if settings.sqlite and not is_in_use(data):
        return f"The data dir is {data}. No appliance runs there."
    return None


def print_password(password: str | None) -> None:
    """Print a password that was generated now."""
    if password:
        told = f"\n    Log in as admin with the password  {password}\n"
        print(f"{told}    Note it now. It won't be shown again.\n", flush=True)
