"""Where a test may have the process die as by ``kill -9``, between any two steps of a recording's way."""

import os
import signal
from typing import Final

# In the order of the way. The first five are the upload's, the others the conversion's.
STEPS: Final = (
    "begun", "spooled", "synced", "placed", "committed", "encoded", "stored", "finished", "cleared",
)  # fmt: skip
_STOP_AT: Final = os.environ.get("SPOKE_TEST_KILL_AT")


def passed(step: str) -> None:
    """A step is done; with SPOKE_TEST_KILL_AT naming it the process ends here."""
    if step == _STOP_AT:
        os.kill(os.getpid(), signal.SIGKILL)
