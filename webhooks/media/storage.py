"""Files of recordings in the data dir, and the steps by which they come and go.

``incoming/ID`` is being received, ``waiting/ID`` belongs to an event and waits for its conversion,
``mp3/AB/ID.mp3`` is what links lead to. A process that works on a file holds the file's lock. So a file whose
lock is free, and that no row of the database names, is nobody's: at any moment and after any crash.
"""

import contextlib
import os
import re
import shutil
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from webhooks.data_dir import hold_lock, sync_folder, try_lock
from webhooks.errors import DiskFull, TooLarge
from webhooks.media.failpoints import failpoint

LEFT_FREE_BYTES: Final = 200_000_000  # of the disk, left to events
_CHECK_BYTES: Final = 16 << 20  # written between two checks of the free space
ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


def media_id_of(path: Path) -> str | None:
    """Return the id of the recording that a file belongs to by its name."""
    name = path.name.partition(".")[0]
    return name if ID.fullmatch(name) else None


class Folder:
    """The media folder of a data dir."""

    def __init__(self, data: Path) -> None:
        self.root = data / "media"
        self.incoming, self.waiting, self.mp3 = (self.root / name for name in ("incoming", "waiting", "mp3"))

    def make(self) -> None:
        for folder in (self.incoming, self.waiting, self.mp3):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def source(self, media_id: str) -> Path:
        return self.waiting / media_id

    def final(self, media_id: str) -> Path:
        return self.mp3 / self.relative(media_id)

    def draft(self, media_id: str) -> Path:
        """Where an MP3 is written; it belongs to whoever holds the lock of the source."""
        return self.incoming / f"{media_id}.part"

    def store(self, draft: Path, media_id: str) -> None:
        """Put a finished MP3 in its place, and force that to the disk."""
        final = self.final(media_id)
        if not final.parent.is_dir():
            final.parent.mkdir(mode=0o700, exist_ok=True)
            sync_folder(self.mp3)
        os.rename(draft, final)
        sync_folder(final.parent)

    @staticmethod
    def relative(media_id: str) -> str:
        return f"{media_id[:2]}/{media_id}.mp3"

    def check_space(self, more_bytes: int = 0) -> None:
        """Raise DiskFull where ``more_bytes`` would leave too little of the disk."""
        if shutil.disk_usage(self.root).free - more_bytes < LEFT_FREE_BYTES:
            raise DiskFull(
                "Less than 200 MB of disk would be left: no recording is taken, so that events still are. "
                "Free some, or lower SPOKE_RETENTION_DAYS or SPOKE_MAX_MEDIA_TOTAL."
            )

    def remove(self, media_id: str) -> None:
        """Remove all files of a recording, and force that to the disk."""
        for path in (self.source(media_id), self.final(media_id)):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
                sync_folder(path.parent)


class Upload:
    """A file on its way in. Use it with ``with``: it is removed at the end, unless it was kept or left.

    Args:
        max_bytes: the most that it may have.
    """

    def __init__(self, folder: Folder, max_bytes: int) -> None:
        folder.make()
        folder.check_space()
        self.media_id = str(uuid.uuid4())
        self.size = 0
        self._folder, self._max_bytes = folder, max_bytes
        self._path = folder.incoming / self.media_id
        self._checked_size = 0
        self._kept = False
        self._fd = self._open()
        failpoint("begun")

    def __enter__(self) -> "Upload":
        return self

    def __exit__(self, *_: object) -> None:
        if not self._kept:
            self._path.unlink(missing_ok=True)
        os.close(self._fd)

    def _open(self) -> int:
        while True:
            fd = hold_lock(self._path)
            if os.fstat(fd).st_nlink:
                return fd
            os.close(fd)  # housekeeping removed it between its opening and its locking

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Add to the file.

        Raises:
            TooLarge: the file has more than ``max_bytes``. DiskFull: there is no room for it.
        """
        self.size += len(data)
        if self.size > self._max_bytes:
            raise TooLarge(f"The recording is longer than {self._max_bytes:,} bytes (SPOKE_MAX_MEDIA).")
        if self.size - self._checked_size >= _CHECK_BYTES:
            self._checked_size = self.size
            self._folder.check_space()
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError as error:
            raise DiskFull(f"The recording cannot be written: {error.strerror}.") from None

    def reader(self) -> Any:
        """Open the file so far for reading, from its start."""
        failpoint("spooled")
        return open(self._path, "rb")

    def place(self) -> None:
        """Put the file where its event's row expects it, and force that to the disk."""
        try:
            os.fsync(self._fd)
        except OSError as error:
            raise DiskFull(f"The recording cannot be written: {error.strerror}.") from None
        failpoint("synced")
        target = self._folder.source(self.media_id)
        os.rename(self._path, target)
        self._path = target
        sync_folder(self._folder.waiting)
        sync_folder(self._folder.incoming)
        failpoint("placed")

    def leave(self, wait_until_settled: Callable[[], object] | None = None) -> None:
        """Leave the file to housekeeping, which finds out whether its row is committed.

        ``wait_until_settled`` returns once that is decided; until then the file stays locked.
        """
        self._kept = True
        if wait_until_settled is not None:
            lock = os.dup(self._fd)  # the lock belongs to both descriptors

            def release() -> None:
                wait_until_settled()
                os.close(lock)

            threading.Thread(target=release, name="unsettled", daemon=True).start()

    def keep(self) -> None:
        """Keep the file: its row is committed."""
        self._kept = True
        failpoint("committed")


@contextlib.contextmanager
def exclusively(path: Path) -> Iterator[int | None]:
    """Hold a file's lock. Yields its descriptor, or None where another process works on it, or it is gone."""
    try:
        fd = try_lock(path, os.O_NOFOLLOW)
    except FileNotFoundError:
        fd = None
    if fd is None:
        yield None
        return
    try:
        # The file may have been finished and removed between its opening and its locking.
        yield fd if os.fstat(fd).st_nlink else None
    finally:
        os.close(fd)
