"""Files that a PBX has laid down in a folder of ours (SPOKE_SPOOL_DIRS), and nowhere else."""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from webhooks.errors import Invalid

_PIECE: Final = 1 << 20
# No word of what is there: the path may lead anywhere.
_NONE: Final = "media_path: there is no such file inside SPOKE_SPOOL_DIRS that can be read."


def read_spooled(folders: tuple[Path, ...], path: str, take: Callable[[bytes], None]) -> str:
    """Hand the bytes of a file on; the answer is its name.

    What is judged at last is the file that was opened, by the kernel's own name for it: no link and no
    rename between a look and the opening leads elsewhere.

    Raises:
        Invalid: not inside one of the folders, no plain file, or not to be read.
    """
    if not folders:
        raise Invalid("media_path cannot be used: SPOKE_SPOOL_DIRS names no folder to take files from.")
    if not os.path.isabs(path) or "\0" in path:
        raise Invalid("media_path has to be a whole path, from / on.")
    inside = [os.path.realpath(folder) for folder in folders]
    real = os.path.realpath(path)
    if not _regular(real, inside):  # before it is opened: opening some devices does something already
        raise Invalid(_NONE)
    try:
        fd = os.open(real, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        raise Invalid(_NONE) from None
    with open(fd, "rb", buffering=0) as file:
        if not _regular(os.readlink(f"/proc/self/fd/{fd}"), inside, fd):
            raise Invalid(_NONE)
        while piece := file.read(_PIECE):
            take(piece)
    return path


def _regular(real: str, inside: list[str], fd: int | None = None) -> bool:
    try:
        mode = os.lstat(real).st_mode if fd is None else os.fstat(fd).st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(mode) and any(Path(real).is_relative_to(folder) for folder in inside)
