"""Limits on concurrent long bodies, exports and log-ins: they must never fill the threads that others need.

Every other request has a thread only while it is worked on; runtime/webserver.py counts those. A request
beyond a limit is refused with Retry-After. A caller that stops in the middle loses its slot after half a
minute.
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


def stream() -> None:
    """Have the web server send each piece of this answer as it is made; other servers do so anyway."""
    begin: Callable[[], None] | None = request.environ.get("spoke.stream")
    if begin:
        begin()


class Slots:
    """At most ``count`` requests at a time in this process."""

    def __init__(self, count: int, what: str) -> None:
        self._free = threading.BoundedSemaphore(count)
        self._what = what

    @contextlib.contextmanager
    def take(self) -> Iterator[None]:
        """Hold a slot. Raises NoCapacity at once if none is free; nobody waits here."""
        if not self._free.acquire(blocking=False):
            raise NoCapacity(
                f"Too many {self._what} at a time: try again in {_RETRY_SECONDS} seconds.", _RETRY_SECONDS
            )
        try:
            yield
        finally:
            self._free.release()


uploads: Final = Slots(3, "uploads")
bodies: Final = Slots(2, "long or chunked bodies")
exports: Final = Slots(2, "exports")
log_ins: Final = Slots(1, "log-ins")
