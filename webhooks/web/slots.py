"""Long requests take from a few places, so that they never fill the threads that the hook needs.

A web process has ten threads. Uploads may have three of them and downloads two; whoever comes beyond is
asked to come again. A caller that stops in the middle loses its place after half a minute.
"""

import contextlib
import threading
from collections.abc import Iterator
from typing import Final

from flask import request

from webhooks.errors import NoPlace

PATIENCE_SECONDS: Final = 30.0  # without a byte sent or taken


class Slots:
    """So many at a time in this process."""

    def __init__(self, count: int, what: str) -> None:
        self._free = threading.BoundedSemaphore(count)
        self._what = what

    def take(self) -> None:
        """Raises NoPlace at once if none is free; nobody waits here."""
        if not self._free.acquire(blocking=False):
            raise NoPlace(f"Too many {self._what} are going on; try again in {NoPlace.retry_after} seconds.")

    def give_back(self) -> None:
        self._free.release()

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        self.take()
        try:
            yield
        finally:
            self.give_back()


uploads: Final = Slots(3, "uploads")
downloads: Final = Slots(2, "downloads")


def set_patience(seconds: float | None) -> float | None:
    """Limit the waiting for the other end, None for no limit; the answer is what was set before.

    The server's socket has none of its own. Where there is no such socket (tests) nothing happens.
    """
    sock = request.environ.get("gunicorn.socket")
    if sock is None:
        return None
    before: float | None = sock.gettimeout()
    sock.settimeout(seconds)
    return before
