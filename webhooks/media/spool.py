"""Files that a PBX has laid down in a folder of ours (SPOKE_SPOOL_DIRS), and nowhere else."""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from webhooks.errors import Invalid

_PIECE: Final = 1 << 20


def read_spooled(folders: tuple[Path, ...], path: str, take: Callable[[bytes], None]) -> str:
    """Hand the bytes of a file on; the answer is its name.

    What is judged is the file that was opened, by the kernel's own name for it: no link and no rename
    between a look and the opening leads elsewhere.

    Raises:
        Invalid: not inside one of the folders, no plain file, or not to be read.
    """
    if not folders:
        raise Invalid("media_path cannot be used: SPOKE_SPOOL_DIRS names no folder to take files from.")
    if not os.path.isabs(path) or "\0" in path:
        raise Invalid("media_path has to be a whole path, from / on.")
    try:
        # Nothing here waits: a pipe that nobody writes to opens, too.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except (OSError, ValueError, UnicodeError):
        # No word of what is there: the path may lead anywhere.
        raise Invalid("media_path: there is no such file inside SPOKE_SPOOL_DIRS that can be read.") from None
    with open(fd, "rb", buffering=0) as file:
        real = Path(os.readlink(f"/proc/self/fd/{fd}"))
        inside = any(real.is_relative_to(os.path.realpath(folder)) for folder in folders)
        if not inside or not stat.S_ISREG(os.fstat(fd).st_mode):
            raise Invalid("media_path: there is no such file inside SPOKE_SPOOL_DIRS that can be read.")
        while piece := file.read(_PIECE):
            take(piece)
    return path
