"""Long bodies and log-ins take from a few places, so that they never fill the threads that the hook needs.

Everything else has a thread only while it is worked at: runtime/webserver.py counts them. Whoever comes
beyond is asked to come again. A caller that stops in the middle loses its place after half a minute.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Final

from flask import request

from webhooks.errors import NoCapacity

_RETRY_SECONDS: Final = 2


def waiting() -> contextlib.AbstractContextManager[None]:
    """Let the web server work at other pages while this request waits; other servers have no such limit."""
    wait: Callable[[], contextlib.AbstractContextManager[None]]
    wait = request.environ.get("spoke.waiting", contextlib.nullcontext)
    return wait()


def hold_answer(seconds: float) -> None:
    """Have the web server keep the answer back, without a thread; other servers send it at once."""
    hold: Callable[[float], None] | None = request.environ.get("spoke.hold_answer")
    if hold:
        hold(seconds)


class Slots:
    """So many at a time in this process."""

    def __init__(self, count: int, what: str) -> None:
        self._free = threading.BoundedSemaphore(count)
        self._what = what

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        """Raises NoCapacity at once if none is free; nobody waits here."""
        if not self._free.acquire(blocking=False):
            raise NoCapacity(
                f"Too many {self._what} are going on; try again in {_RETRY_SECONDS} seconds.", _RETRY_SECONDS
            )
        try:
            yield
        finally:
            self._free.release()


uploads: Final = Slots(3, "uploads")
bodies: Final = Slots(2, "long or chunked bodies")
log_ins: Final = Slots(1, "log-ins")
