"""What has to be there before anything runs: the data dir, the secret key, the schema, the admin's password.

Any process may come first; a lock lets one of them do it.
"""

import contextlib
import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy import orm
from werkzeug.security import generate_password_hash

from webhooks.db import SCHEMA_HEAD, Store
from webhooks.delivery import clock
from webhooks.errors import Busy, Conflict, StartError
from webhooks.media.files import sync_folder
from webhooks.models import Meta
from webhooks.operate.data_dir import make_ready
from webhooks.operate.sealing import keep_sealed, seal_anew
from webhooks.settings import MIN_SECRET, ROOT, Settings

_SCHEMA_LOCK: Final = 0x53706F6B66
_PASSWORD: Final = "admin_password_hash"


def prepare(settings: Settings, store: Store) -> str | None:
    """Make what is missing. The answer is the admin's password if one was made now: print it once.

    Raises:
        StartError: the data dir or the database cannot be used.
    """
    make_ready(settings)
    secret_key(settings)  # which seals what the database keeps of secrets
    try:
        with _alone(settings, store):
            _migrate(store)
            keep_sealed(settings, store)
            clock.look(store)  # from now on a jump is seen
            return _first_password(settings, store)
    except (Busy, sa.exc.SQLAlchemyError) as error:
        reason = " ".join(str(error.orig if isinstance(error, sa.exc.DBAPIError) else error).split())
        where = f"SPOKE_DATA_DIR={settings.data}" if settings.database_url is None else "DATABASE_URL"
        raise StartError(f"{where}: the database cannot be used: {reason}") from error
    finally:
        store.engine.dispose()  # nothing may be carried over a fork


def print_password(password: str | None) -> None:
    """Show a password that was made now."""
    if password:
        print(f"\n    Log in as admin with the password  {password}\n    It is shown only now.\n", flush=True)


def secret_key(settings: Settings) -> str:
    """The key that signs sessions and links: SPOKE_SECRET_KEY, or one made once and kept in the data dir.

    Raises:
        StartError: the file that keeps it cannot be read, or holds none.
    """
    if settings.secret_key:
        return settings.secret_key
    make_ready(settings)
    path = settings.data / "secret.key"
    with _locked(settings.data / "schema.lock"):
        if not path.exists():
            _write_whole(path, secrets.token_urlsafe(48) + "\n")
        try:
            key = (path.read_text().split() or [""])[0]  # keys that were replaced stand below
        except (OSError, UnicodeDecodeError) as error:
            raise StartError(
                f"{path} cannot be read: {error}. Make it readable for the user who runs this, or restore it "
                "from a backup."
            ) from None
    if len(key) < MIN_SECRET:
        raise StartError(
            f"{path} holds no key. Restore it from a backup; or delete it, which ends all sessions and links."
        )
    return key


def rotate_secret_key(settings: Settings, store: Store) -> int:
    """Make a new key; the answer is how many former ones still check links, until the last of these expires.

    Secrets in the database are sealed anew before and after: a former key that is dropped opens none.

    Raises:
        Conflict: the key is SPOKE_SECRET_KEY's.
    """
    if settings.secret_key:
        raise Conflict(
            "SPOKE_SECRET_KEY is set and wins: put another value there and the present one into "
            "SPOKE_OLD_SECRET_KEYS, so that links already sent live on."
        )
    secret_key(settings)
    path = settings.data / "secret.key"
    with _locked(settings.data / "schema.lock"):
        with store.write() as session:
            seal_anew(session)
        present, *former = path.read_text().splitlines()
        last = int(time.time()) + settings.media_link_ttl
        kept = [line for line in former if int(line.split()[1]) > time.time()]
        lines = [secrets.token_urlsafe(48), f"{present.strip()} {last}", *kept]
        _write_whole(path, "\n".join(lines) + "\n")
        keep_sealed(settings, store)
    return len(lines) - 1


def _write_whole(path: Path, text: str) -> None:
    """Whole or not at all, also after a power cut."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    sync_folder(path.parent)


def set_password(session: orm.Session, password: str) -> None:
    """Keep a new admin password's hash and end all sessions."""
    session.merge(Meta(key=_PASSWORD, value=generate_password_hash(password)))
    epoch = session.get(Meta, "session_epoch")
    session.merge(Meta(key="session_epoch", value=str(int(epoch.value) + 1 if epoch else 1)))


def _first_password(settings: Settings, store: Store) -> str | None:
    # A command that comes first leaves it to the first start, where somebody reads what is printed.
    if settings.admin_password or os.environ.get("FLASK_RUN_FROM_CLI") == "true":
        return None
    with store.write() as session:
        if session.get(Meta, _PASSWORD):
            return None
        password = secrets.token_urlsafe(12)
        set_password(session, password)
        return password


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


@contextlib.contextmanager
def _alone(settings: Settings, store: Store) -> Iterator[None]:
    """One process at a time, over all machines that share the database."""
    if store.sqlite:
        with _locked(settings.data / "schema.lock"):
            yield
        return
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": _SCHEMA_LOCK})
        try:
            yield
        finally:
            connection.execute(sa.text("SELECT pg_advisory_unlock(:key)"), {"key": _SCHEMA_LOCK})


def _migrate(store: Store) -> None:
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
    config.set_main_option("script_location", str(ROOT / "webhooks" / "migrations").replace("%", "%%"))
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
    """Leave nothing in the database's files of what a migration has written in another form."""
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
    """What SQLite wants before the first table, and outside of a transaction."""
    raw = store.engine.raw_connection()
    try:
        cursor = raw.cursor()
        cursor.execute("PRAGMA auto_vacuum = INCREMENTAL")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute(f"PRAGMA application_id = {0x53504F4B}")
        cursor.close()
    finally:
        raw.close()
