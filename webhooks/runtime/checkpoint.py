"""Checkpoints of SQLite's write-ahead log."""

import sqlite3
from typing import Final

from webhooks.db.failures import translated
from webhooks.db.store import Store
from webhooks.errors import ReadFailed, Unavailable
from webhooks.settings import Settings

_LEAST_BYTES: Final = 4 << 20
_LEAST_PAGES: Final = _LEAST_BYTES // 4096
_REST_PAGES: Final = 100  # few enough to be moved under the lock
_PASSES: Final = 5


def checkpoint(settings: Settings, store: Store) -> None:
    """Move the write-ahead log into the database, most of it without the write lock.

    Passive checkpoints alone never restart the log while others write: it grew to 852 MB in 10 s. So the
    last pages are moved and the log is restarted under the lock, for milliseconds. The file keeps its length,
    because syncing a commit that makes it longer takes longer.
    """
    wal = settings.sqlite_file.with_name(f"{settings.sqlite_file.name}-wal")
    if not store.sqlite or not wal.exists() or wal.stat().st_size < _LEAST_BYTES:
        return
    with translated(ReadFailed):
        raw = store.engine.raw_connection()
    try:
        cursor = raw.cursor()
        for _ in range(_PASSES):
            cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")
            ((_, pages, moved),) = cursor.fetchall()
            if pages - moved < _REST_PAGES:
                break
        if pages >= _LEAST_PAGES:
            with store.checkpoint_turn():
                cursor.execute("PRAGMA busy_timeout = 10")
                try:
                    cursor.execute("PRAGMA wal_checkpoint(RESTART)")
                    cursor.fetchall()
                finally:
                    cursor.execute("PRAGMA busy_timeout = 5000")
        cursor.close()
    except sqlite3.OperationalError as error:  # the disk is full, or does not answer
        raw.invalidate()
        raise Unavailable(f"The write-ahead log cannot be moved into the database now ({error}).") from error
    finally:
        raw.close()
