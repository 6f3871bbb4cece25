"""What the embedded Redis prints, as records of our log."""

import contextlib
import logging
import os
import re
from typing import Final

# "4711:M 28 Nov 2026 09:01:08.123 # ", as Redis and Valkey begin a line.
_HEAD: Final = re.compile(r"^\d+:[A-Z] \d+ \w+ \d+ [\d:.]+ [.*#-] ")
# The first tells of background saves, which ours never makes: it would frighten whoever starts it.
_OF_NO_MATTER: Final = ("WARNING Memory overcommit must be enabled!", "Reading config from stdin")

log = logging.getLogger(__name__)


class RedisLog:
    """A pipe from the server, which writes ``into`` it; whoever made it passes the lines on, now and then."""

    def __init__(self) -> None:
        self.out, self.into = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self.out, False)
        self._begun = b""

    def pass_on(self) -> None:
        """Log the lines that have come since."""
        with contextlib.suppress(BlockingIOError):
            while read := os.read(self.out, 1 << 16):
                self._begun += read
        *lines, self._begun = self._begun.split(b"\n")
        for line in lines:
            text = _HEAD.sub("", line.decode(errors="replace")).strip()
            if text and not text.startswith(_OF_NO_MATTER):
                log.warning("Redis says: %s", text)
