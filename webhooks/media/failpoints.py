"""Failpoints: named places in a recording's way at which a test kills the process."""

import os
import signal
from typing import Final

# In their order. The first five are the upload's, the others the conversion's.
STEPS: Final = (
    "begun", "spooled", "synced", "placed", "committed", "encoded", "stored", "finished", "cleared",
)  # fmt: skip
_VARIABLE: Final = "SPOKE_TEST_KILL_AT"


def failpoint(step: str) -> None:
    """Note that a step is done. Where SPOKE_TEST_KILL_AT names it, the process dies as by ``kill -9``."""
    if step == os.environ.get(_VARIABLE):
        os.kill(os.getpid(), signal.SIGKILL)
