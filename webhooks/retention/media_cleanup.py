"""Clean-up of recordings: files that no event has, and those beyond the space that all may take."""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from webhooks.db.store import Store, now_ms
from webhooks.events.storage import add_error
from webhooks.media import rows
from webhooks.media.storage import Folder, exclusively, media_id_of
from webhooks.settings import Settings

_FINAL_SECONDS: Final = 3600.0  # so often all MP3s are looked at; the others, which are few, each time
_BATCH: Final = 100
_PAUSE_SECONDS: Final = 0.02

_TOTAL = "SELECT coalesce(sum(size), 0) FROM media WHERE state <> 'erased'"
# Only what is settled: a link that is still to be sent must not lead nowhere.
_OLDEST = f"""
    SELECT m.id, m.event_id, m.size FROM media m
    WHERE m.state IN ('ready', 'failed') AND m.size > 0 AND NOT EXISTS (
        SELECT 1 FROM delivery d WHERE d.event_id = m.event_id AND d.state IN ('pending', 'held'))
    ORDER BY m.created_at LIMIT {_BATCH}
"""
_FULL: Final = (
    "The recording was removed: all of them together had more bytes than SPOKE_MAX_MEDIA_TOTAL allows."
)

log = logging.getLogger(__name__)
_looked_at: dict[Path, float] = {}
_told: set[Path] = set()


def look_after(settings: Settings, store: Store, stop: threading.Event) -> None:
    """Do one round of clean-up."""
    folder = Folder(settings.data)
    if folder.root.is_dir():
        sweep(folder, store, stop)
        if settings.max_media_total is not None:
            make_room(folder, store, stop, settings.max_media_total)


def sweep(folder: Folder, store: Store, stop: threading.Event) -> int:
    """Remove files that no row wants and nobody works on. Returns how many."""
    gone = 0
    for path in _entries(folder.incoming):  # a draft is its source's, and not ours while that is worked on
        gone += _sweep_draft(folder, store, path) if path.suffix == ".part" else _sweep(store, path, None)
    for path in _entries(folder.waiting):
        gone += _sweep(store, path, False)
    if time.monotonic() - _looked_at.get(folder.mp3, -_FINAL_SECONDS) >= _FINAL_SECONDS:
        _looked_at[folder.mp3] = time.monotonic()
        for number, path in enumerate(
            mp3 for subfolder in _entries(folder.mp3) for mp3 in _entries(subfolder)
        ):
            gone += _sweep(store, path, True)
            if number % _BATCH == 0 and stop.wait(_PAUSE_SECONDS):
                break
    if gone:
        log.info("removed files of recordings that no event has", extra={"files": gone})
    return gone


def _entries(folder: Path) -> Iterator[Path]:
    try:
        with os.scandir(folder) as entries:
            yield from [Path(entry.path) for entry in entries]
    except FileNotFoundError:
        return
    except OSError as error:
        _tell(folder, error)


@contextlib.contextmanager
def _held(path: Path) -> Iterator[int | None]:
    """Hold a file's lock; None where somebody else holds it, or where no file of ours lies there."""
    with contextlib.ExitStack() as stack:
        fd = None
        try:
            fd = stack.enter_context(exclusively(path))
        except OSError as error:
            _tell(path, error)
        yield fd


def _tell(path: Path, error: OSError) -> None:
    if path not in _told:
        _told.add(path)
        what = "is a link" if path.is_symlink() else error.strerror
        log.warning(
            "foreign file in the media folder is left alone: remove it", extra={"path": path, "reason": what}
        )


def _sweep(store: Store, path: Path, final: bool | None) -> bool:
    """Remove a file if no row wants it. ``final``: it is an MP3; None: no row has such a file."""
    media_id = media_id_of(path)
    with _held(path) as fd:
        if fd is None:
            return False
        if os.fstat(fd).st_mode & 0o077:  # a former version's
            os.fchmod(fd, 0o600)
        # Asked only now: whoever held it until a moment ago has committed its row, or never will.
        with store.direct_read() as direct:
            if final is not None and media_id and rows.wanted(direct, media_id, final=final):
                return False
        path.unlink(missing_ok=True)
    return True


def _sweep_draft(folder: Folder, store: Store, path: Path) -> bool:
    source = folder.source(media_id_of(path) or "")
    with _held(source) as fd:
        if fd is None and os.path.lexists(source):
            return False  # it is being converted
        path.unlink(missing_ok=True)
    return True


def make_room(folder: Folder, store: Store, stop: threading.Event, most_bytes: int) -> int:
    """Remove the oldest recordings until all together have at most ``most_bytes``. Returns how many.

    Their events stay, and say so. Recordings that are still to be delivered stay.
    """
    gone = 0
    with store.direct_read() as direct:
        total = int((direct.row(_TOTAL) or (0,))[0])
    while total > most_bytes and not stop.is_set():
        with store.direct(wait=None) as direct:
            chosen = []
            for media_id, event_id, size in direct.rows(_OLDEST):
                if total <= most_bytes:
                    break
                if rows.set_erased(direct, media_id, _FULL, now_ms()):
                    add_error(direct, event_id, _FULL)
                total -= size
                chosen.append(media_id)
        for media_id in chosen:
            folder.remove(media_id)
        gone += len(chosen)
        if not chosen:
            log.warning(
                "recordings exceed SPOKE_MAX_MEDIA_TOTAL, and all are still to be delivered",
                extra={"excess_bytes": total - most_bytes},
            )
            break
        stop.wait(_PAUSE_SECONDS)
    if gone:
        log.info(
            "removed the oldest recordings to keep within SPOKE_MAX_MEDIA_TOTAL", extra={"recordings": gone}
        )
    return gone
