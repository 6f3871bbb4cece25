"""Events on their way to the disk, between the request that waits and the intake thread that stores them."""

import threading
from dataclasses import dataclass, field
from typing import Final

from webhooks.db.write_lock import WRITE_WAIT_SECONDS
from webhooks.errors import SpokeError, Unconfirmed, WriteTimedOut
from webhooks.events.schema import IncomingEvent
from webhooks.events.storage import Accepted

_COMMIT_WAIT_SECONDS: Final = 60.0  # for a commit that has begun


def _held_lock() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass
class Submission:
    """One request's events and their outcome.

    ``sender`` is a token's hash or the id of a location; ``location_id`` is known once that was judged.
    ``stored`` has the answers so far, of which ``committed`` are on disk: a large batch takes several
    transactions. ``only_webhook`` is the one webhook that a test event is for.

    Threads: a request calls ``result`` and ``wait_until_settled``, the intake thread everything else.
    """

    sender: bytes | int
    events: list[IncomingEvent]
    origin: str
    only_webhook: int | None = None
    location_id: int | None = None
    stored: list[Accepted] = field(default_factory=list)
    committed: int = 0
    _outcome: list[Accepted] | SpokeError | None = None
    _begun: bool = False
    _abandoned: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)  # of the two flags
    # Held until the outcome is known. A threading.Event does the same with three times the work.
    _settled: threading.Lock = field(default_factory=_held_lock)

    def result(self) -> list[Accepted]:
        """Wait until all events are on disk, and return an answer for each.

        Raises:
            WriteTimedOut: their turn did not come in time, so nothing was written and nothing will be.
            Unconfirmed: the disk took too long over a commit; ``wait_until_settled`` waits for its outcome.
            SpokeError: as ``settle`` was told.
        """
        if not self._wait(WRITE_WAIT_SECONDS):
            if self._abandon():
                raise WriteTimedOut(
                    "The database is busy with another write; nothing was written. Try again."
                )
            before = -1
            while not self._wait(_COMMIT_WAIT_SECONDS):
                if len(self.stored) == before:
                    raise Unconfirmed(
                        "The disk did not confirm in time; the event may come twice if it is sent again."
                    )
                before = len(self.stored)
        if isinstance(self._outcome, SpokeError):
            raise self._outcome
        assert self._outcome is not None
        return self._outcome

    def wait_until_settled(self) -> None:
        """Wait for the outcome, however long that takes."""
        self._wait(-1)

    def begin(self) -> bool:
        """Note that its transaction has begun. Returns False where the request has given up already."""
        with self._lock:
            self._begun = not self._abandoned
            return self._begun

    def settle(self, outcome: list[Accepted] | SpokeError) -> None:
        """Tell the request the outcome: an answer for each event, or why nothing came of them."""
        self._outcome = outcome
        self._settled.release()

    def _abandon(self) -> bool:
        with self._lock:
            self._abandoned = not self._begun
            return self._abandoned

    def _wait(self, seconds: float) -> bool:
        if not self._settled.acquire(timeout=seconds):
            return False
        self._settled.release()  # whoever waits next
        return True
