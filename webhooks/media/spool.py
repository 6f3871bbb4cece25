"""Recordings that a PBX has put into one of the folders of SPOKE_SPOOL_DIRS."""

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
    """Read a file, handing each piece of it to ``take``. Returns its name.

    The opened descriptor is checked again by the kernel's own name for it, so that a link or a rename between
    the first check and the opening leads nowhere else.

    Raises:
        Invalid: the file is not inside one of the folders, is no plain file, or cannot be read.
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
