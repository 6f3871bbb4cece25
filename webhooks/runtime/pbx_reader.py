"""The reading half of a connection: a thread that only reads, into a queue that is bounded by its bytes.

A phone system cuts off who reads slowly. So this thread never waits for a translator, a database or a lock
that another thread holds for long; it cuts the stream into messages and drops those that nobody reads, no
more. Where the queue is full it ends the connection itself: a new one begins with a list of the channels,
while a slow one would lose messages that nobody could name.
"""

import contextlib
import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from webhooks.errors import LoginRefused, PbxProblem
from webhooks.outbound.pbx_link import Account, Link
from webhooks.services.pbx import Condition
from webhooks.services.pbx_systems import LiveSystem

QUEUE_BYTES: Final = 64 << 20
_TICK_S: Final = 0.2
_PING_S: Final = 10.0
_DEAD_S: Final = 25.0  # two pings without any answer
_BOOT_S: Final = 2.0  # for the word that all is ready, which not every user gets
_BACK_OFF_S: Final = (1.0, 60.0)
_REFUSED_S: Final = 60.0
_STEADY_S: Final = 60.0  # after a connection this long the back-off begins anew

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Messages as they came together. ``link`` counts connections; ``size`` is in bytes."""

    at: datetime
    link: int
    messages: list[bytes]
    size: int


class ByteQueue:
    """Chunks between two threads."""

    def __init__(self, limit_bytes: int = QUEUE_BYTES) -> None:
        self._limit, self._bytes = limit_bytes, 0
        self._chunks: deque[Chunk] = deque()
        self._changed = threading.Condition()

    def put(self, chunk: Chunk) -> bool:
        """Add a chunk. Returns False where there is no room."""
        with self._changed:
            if self._bytes + chunk.size > self._limit:
                return False
            self._bytes += chunk.size
            self._chunks.append(chunk)
            self._changed.notify()
            return True

    def take(self, wait_s: float, most_bytes: int = 1 << 20) -> list[Chunk]:
        """Take what is there, about ``most_bytes`` of it; wait for it first."""
        with self._changed:
            if not self._chunks:
                self._changed.wait(wait_s)
            taken: list[Chunk] = []
            size = 0
            while self._chunks and size < most_bytes:
                taken.append(self._chunks.popleft())
                size += taken[-1].size
            self._bytes -= size
            return taken


class Reader:
    """Keeps a connection open until ``stop``. ``tell`` hears of every change of its condition."""

    def __init__(
        self,
        system: LiveSystem,
        account: Account,
        queue: ByteQueue,
        tell: Callable[[Condition], None],
        stop: threading.Event,
    ) -> None:
        self._system, self._account, self._queue = system, account, queue
        self._tell, self._stop = tell, stop
        self._links = 0

    def run(self) -> None:
        """Connect, read, and connect again with a growing pause; slowly where the log-in is refused."""
        pause_s = _BACK_OFF_S[0]
        told = ""
        while not self._stop.is_set():
            began_s = time.monotonic()
            try:
                self._hold()
                return
            except PbxProblem as problem:
                sentence, refused = str(problem), isinstance(problem, LoginRefused)
            except Exception:
                log.exception("internal error in a connection; it is made anew")
                sentence, refused = "An internal error ended the connection; see the log.", False
            self._tell(Condition("refused" if refused else "broken", sentence, datetime.now(UTC)))
            if sentence != told:
                log.warning("phone system not connected", extra={"reason": sentence})
            told = sentence
            if time.monotonic() - began_s >= _STEADY_S:
                pause_s, told = _BACK_OFF_S[0], ""
            wait_s = _REFUSED_S if refused else pause_s
            # Where a phone system restarts, not all of its clients should come back in the same moment.
            self._stop.wait(wait_s * random.uniform(0.8, 1.2))
            pause_s = min(pause_s * 2, _BACK_OFF_S[1])

    def _hold(self) -> None:
        """Read one connection until it ends. Returns only after ``stop``."""
        link = self._system.link(self._account)
        self._links += 1
        try:
            self._tell(Condition("connected", "", datetime.now(UTC)))
            more = {"at": self._account.place, "system": self._system.name, "protocol": link.version}
            log.info("phone system connected", extra=more)
            self._read(link)
        finally:
            link.close()

    def _read(self, link: Link) -> None:
        began_s = heard_s = pinged_s = time.monotonic()
        framer, is_wanted = self._system.dialect.framer(), self._system.dialect.is_wanted
        listed = False
        while not self._stop.is_set():
            data = link.receive(_TICK_S)
            now_s = time.monotonic()
            if data is None:
                raise PbxProblem(
                    f"{self._system.title} at {self._account.place} ended the connection: it stops, "
                    "restarts, or cut us off. It is connected again."
                )
            if data:
                heard_s = now_s
                self._hand_on(list(filter(is_wanted, framer.feed(data))))
            if not listed and (link.says_ready in data or now_s - began_s > _BOOT_S):
                link.ask_for_channels()
                listed = True
            if now_s - pinged_s >= _PING_S:
                link.ping()
                pinged_s = now_s
            if now_s - heard_s >= _DEAD_S:
                raise PbxProblem(
                    f"{self._account.place} gives no sign of life. The network may be cut; it is tried again."
                )
        with contextlib.suppress(PbxProblem):
            link.leave()

    def _hand_on(self, messages: list[bytes]) -> None:
        chunk = Chunk(datetime.now(UTC), self._links, messages, sum(map(len, messages)))
        if messages and not self._queue.put(chunk):
            raise PbxProblem(
                "Events cannot be stored as fast as calls come: messages of the phone system were let go. "
                "See the log for what keeps the database."
            )
