"""The data dir: made ready, kept private; files written whole; file locks (flock).

A lock belongs to the open file. The kernel frees it with the process, so no crash leaves one behind.
"""

import contextlib
import fcntl
import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from webhooks.errors import StartError
from webhooks.settings import Settings


def sync_folder(folder: Path) -> None:
    """Force a folder's entries to the disk."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_whole(path: Path, text: str) -> None:
    """Write a text file whole or not at all, also across a power cut."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    sync_folder(path.parent)


def hold_lock(path: Path) -> int:
    """Wait for a file's lock. Returns its descriptor; the lock is free again when that is closed."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(fd, fcntl.LOCK_EX)
    return fd


def try_lock(path: Path, flags: int = os.O_CREAT) -> int | None:
    """Take a file's lock as ``hold_lock`` does, but without waiting. Returns None where somebody holds it.

    ``flags`` are further ones for opening the file.

    Raises:
        OSError: the file cannot be opened.
    """
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | flags, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


def is_held(path: Path) -> bool:
    """Whether somebody holds a file's lock. Whoever takes it in this very moment has to try twice."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: two who look do not see each other
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


@contextlib.contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold a file's lock; wait for it first."""
    fd = hold_lock(path)
    try:
        yield
    finally:
        os.close(fd)


def is_in_use(data: Path) -> bool:
    """Whether an appliance, or workers without one, run with this data dir."""
    return any(map(is_held, (data / "appliance.lock", *data.glob("workers/*.lock"))))


_NETWORK_FILE_SYSTEMS: Final = ("nfs", "cifs", "smb", "9p", "fuse.", "afs", "ceph", "glusterfs", "lustre")
_FOLDERS: Final = ("redis", "workers", "media", "media/incoming", "media/waiting", "media/mp3", "pbx")
_FILES: Final = ("secret.key", "secret.new", "write.lock", "schema.lock", "appliance.lock", "pbx.lock")
_OURS: Final = ("inbox-", "slot-", ".probe-", "lost+found")

log = logging.getLogger(__name__)


def make_ready(settings: Settings) -> None:
    """Make the data dir if it is missing, and make what lies in it private. Every process begins with it.

    From now on the files that this process makes are private too.

    Raises:
        StartError: it cannot be used, or something else lies where a file or a folder of ours has to be.
    """
    os.umask(0o077)
    data = settings.data
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = data / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise StartError(f"SPOKE_DATA_DIR={data} cannot be written: {error.strerror}.") from None
    kind = file_system(data)
    if settings.sqlite and kind.startswith(_NETWORK_FILE_SYSTEMS):
        raise StartError(
            f"SPOKE_DATA_DIR={data} lies on a network file system ({kind}), where SQLite cannot keep data "
            "safe. Use a local disk, or set DATABASE_URL to a PostgreSQL."
        )
    folders = [data / name for name in _FOLDERS]
    files = [data / name for name in _FILES]
    if settings.sqlite:
        # A -wal and a -shm that are made later take the mode of the database.
        files += [
            settings.sqlite_file.with_name(settings.sqlite_file.name + end) for end in ("", "-wal", "-shm")
        ]
    for path in folders:
        _set_right(path, 0o700)
    for path in files:
        _set_right(path, 0o600)
    _close(data, {path.relative_to(data).parts[0] for path in folders + files if path.is_relative_to(data)})


def _set_right(path: Path, mode: int) -> None:
    """Make a file or a folder of ours private, if it is there."""
    folder = mode == 0o700
    what = "folder" if folder else "file"
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            raise StartError(
                f"{path} is a link that leads nowhere ({path.readlink()}): bring back what it leads to, or "
                "take the link away."
            ) from None
        return
    except OSError as error:
        raise StartError(f"{path} cannot be looked at: {error.strerror}.") from None
    if stat.S_ISDIR(status.st_mode) != folder:
        raise StartError(f"{path} has to be a {what}, and is none: move it away, and start again.")
    if not status.st_mode & 0o077:
        return
    try:
        path.chmod(status.st_mode & mode)
    except OSError as error:
        log.warning(
            "others can read a private file, and its mode cannot be changed: chmod go-rwx it",
            extra={"path": path, "reason": error.strerror},
        )


def _close(data: Path, ours: set[str]) -> None:
    """Make a data dir that somebody made beforehand private, if nothing else lies in it.

    One with other things in it, such as /srv, is left as it is: what is ours in it is private already.
    """
    status = data.stat()
    if not status.st_mode & 0o077:
        return
    others = [name for name in os.listdir(data) if name not in ours and not name.startswith(_OURS)]
    if not others and status.st_uid == os.geteuid():
        data.chmod(0o700)
    elif status.st_mode & 0o022 and not status.st_mode & stat.S_ISVTX:
        log.warning(
            "others can write to SPOKE_DATA_DIR and replace files in it: chmod go-w it",
            extra={"path": data, "mode": f"{stat.S_IMODE(status.st_mode):04o}"},
        )


def file_system(path: Path) -> str:
    """Return the type of the file system that holds ``path``, as the kernel calls it."""
    best, kind = "", ""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        left, _, right = line.partition(" - ")
        mount = left.split()[4].replace("\\040", " ")
        inside = path == Path(mount) or str(path).startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best):
            best, kind = mount, right.split()[0]
    return kind
