"""Where recordings lie in the data dir, and the steps by which they get there and go.

``incoming/ID`` is being received, ``waiting/ID`` belongs to an event and waits for its conversion,
``mp3/AB/ID.mp3`` is what links lead to. Whoever works on a file holds its lock (flock): so a file that
nobody holds and that no row of the database names is nobody's, at any moment and after any crash.
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
from webhooks.media.failpoints import passed

LEFT_FREE: Final = 200_000_000  # bytes of disk that media leave to events
_LOOK_EVERY: Final = 16 << 20  # bytes written between two looks at the free space
ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


def media_id_of(path: Path) -> str | None:
    """The recording that a file's name says it is of."""
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
        """Where an MP3 is written; whoever holds the lock of the source owns it."""
        return self.incoming / f"{media_id}.part"

    def store(self, draft: Path, media_id: str) -> None:
        """Put a finished MP3 in its place, for good also after a power cut."""
        final = self.final(media_id)
        if not final.parent.is_dir():
            final.parent.mkdir(mode=0o700, exist_ok=True)
            sync_folder(self.mp3)
        os.rename(draft, final)
        sync_folder(final.parent)

    @staticmethod
    def relative(media_id: str) -> str:
        return f"{media_id[:2]}/{media_id}.mp3"

    def check_space(self, more: int = 0) -> None:
        """Raise DiskFull if so many bytes more would leave too little."""
        if shutil.disk_usage(self.root).free - more < LEFT_FREE:
            raise DiskFull(
                "Less than 200 MB of disk would be left: no recording is taken, so that events still are. "
                "Free some, or lower SPOKE_RETENTION_DAYS or SPOKE_MAX_MEDIA_TOTAL."
            )

    def remove(self, media_id: str) -> None:
        """Take away whatever there is of a recording, and say so to the disk."""
        for path in (self.source(media_id), self.final(media_id)):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
                sync_folder(path.parent)


class Upload:
    """A file on its way in; gone again unless it was placed and kept.

    Args:
        limit: the most bytes that it may have.
    """

    def __init__(self, folder: Folder, limit: int) -> None:
        folder.make()
        folder.check_space()
        self.media_id = str(uuid.uuid4())
        self.size = 0
        self._folder, self._limit = folder, limit
        self._path = folder.incoming / self.media_id
        self._looked_at = 0
        self._kept = False
        self._fd = self._open()
        passed("begun")

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
            os.close(fd)  # housekeeping took it for nobody's, between the two calls

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Add to the file.

        Raises:
            TooLarge: more than the limit. DiskFull: there is no room for it.
        """
        self.size += len(data)
        if self.size > self._limit:
            raise TooLarge(f"The recording is longer than {self._limit:,} bytes (SPOKE_MAX_MEDIA).")
        if self.size - self._looked_at >= _LOOK_EVERY:
            self._looked_at = self.size
            self._folder.check_space()
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError as error:
            raise DiskFull(f"The recording cannot be written: {error.strerror}.") from None

    def reader(self) -> Any:
        """The file so far, from its start, open for reading."""
        passed("spooled")
        return open(self._path, "rb")

    def place(self) -> None:
        """Put it, for good also after a power cut, where its event's row will look for it."""
        try:
            os.fsync(self._fd)
        except OSError as error:
            raise DiskFull(f"The recording cannot be written: {error.strerror}.") from None
        passed("synced")
        target = self._folder.source(self.media_id)
        os.rename(self._path, target)
        self._path = target
        sync_folder(self._folder.waiting)
        sync_folder(self._folder.incoming)
        passed("placed")

    def leave(self, settled: Callable[[], object] | None = None) -> None:
        """Nobody knows whether its row is committed: housekeeping asks, once ``settled`` has come back."""
        self._kept = True
        if settled is not None:
            held = os.dup(self._fd)  # the lock belongs to both descriptors

            def let_go() -> None:
                settled()
                os.close(held)

            threading.Thread(target=let_go, name="unsettled", daemon=True).start()

    def keep(self) -> None:
        """Its row is committed."""
        self._kept = True
        passed("committed")


@contextlib.contextmanager
def alone(path: Path) -> Iterator[int | None]:
    """Hold a file's lock, which the kernel frees with the process: the descriptor, or None if it is not to
    be had: somebody else works on the file, or it is gone."""
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
