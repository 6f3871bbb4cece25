"""The reading half of a connection: a thread that only reads, into a queue that is bounded by its bytes.

Asterisk cuts off who reads slowly. So this thread never waits for a translator, a database or a lock that
another thread holds for long. Where the queue is full it ends the connection itself: a new one begins with a
list of the channels, while a slow one would lose messages that nobody could name.
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
from webhooks.outbound.ami_link import Account, Link
from webhooks.pbx.ami import action
from webhooks.services.pbx import Condition

QUEUE_BYTES: Final = 64 << 20
LIST_ID: Final = "spoke-channels"
_TICK_S: Final = 0.2
_PING_S: Final = 10.0
_DEAD_S: Final = 25.0  # two pings without any answer
_BOOT_S: Final = 2.0  # for FullyBooted, which only a reader of ``system`` gets
_BACK_OFF_S: Final = (1.0, 60.0)
_REFUSED_S: Final = 60.0
_STEADY_S: Final = 60.0  # after a connection this long the back-off begins anew

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes as they came. ``link`` counts connections: a message never goes on in the next one."""

    at: datetime
    link: int
    data: bytes


class ByteQueue:
    """Chunks between two threads."""

    def __init__(self, limit_bytes: int = QUEUE_BYTES) -> None:
        self._limit, self._bytes = limit_bytes, 0
        self._chunks: deque[Chunk] = deque()
        self._changed = threading.Condition()

    def put(self, chunk: Chunk) -> bool:
        """Add a chunk. Returns False where there is no room."""
        with self._changed:
            if self._bytes + len(chunk.data) > self._limit:
                return False
            self._bytes += len(chunk.data)
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
                size += len(taken[-1].data)
            self._bytes -= size
            return taken


class Reader:
    """Keeps a connection open until ``stop``. ``tell`` hears of every change of its condition."""

    def __init__(
        self, account: Account, queue: ByteQueue, tell: Callable[[Condition], None], stop: threading.Event
    ) -> None:
        self._account, self._queue, self._tell, self._stop = account, queue, tell, stop
        self._links = 0
        self._fault = ""

    def begin_anew(self, sentence: str) -> None:
        """Have the present connection ended, and a new one made; any thread may ask for it."""
        self._fault = sentence

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
                refused = isinstance(problem, LoginRefused)
                self._tell(Condition("refused" if refused else "broken", str(problem), datetime.now(UTC)))
                if str(problem) != told:
                    log.warning("phone system not connected", extra={"reason": problem})
                told = str(problem)
            if time.monotonic() - began_s >= _STEADY_S:
                pause_s, told = _BACK_OFF_S[0], ""
            wait_s = _REFUSED_S if refused else pause_s
            # Where a phone system restarts, not all of its clients should come back in the same moment.
            self._stop.wait(wait_s * random.uniform(0.8, 1.2))
            pause_s = min(pause_s * 2, _BACK_OFF_S[1])

    def _hold(self) -> None:
        """Read one connection until it ends. Returns only after ``stop``."""
        link = Link(self._account)
        self._links += 1
        try:
            self._tell(Condition("connected", "", datetime.now(UTC)))
            log.info("phone system connected", extra={"at": self._account.place, "ami": link.version})
            self._read(link)
        finally:
            link.close()

    def _read(self, link: Link) -> None:
        began_s = heard_s = pinged_s = time.monotonic()
        listed = False
        while not self._stop.is_set():
            data = link.receive(_TICK_S)
            now_s = time.monotonic()
            if self._fault:
                sentence, self._fault = self._fault, ""
                raise PbxProblem(sentence)
            if data is None:
                raise PbxProblem(
                    f"Asterisk at {self._account.place} ended the connection: it stops, restarts, or cut us "
                    "off. It is connected again."
                )
            if data:
                heard_s = now_s
                if not self._queue.put(Chunk(datetime.now(UTC), self._links, data)):
                    raise PbxProblem(
                        "The database takes too few events: messages of the phone system had to be let go. "
                        "See the log."
                    )
            if not listed and (b"FullyBooted" in data or now_s - began_s > _BOOT_S):
                link.send(action("CoreShowChannels", ActionID=LIST_ID))
                listed = True
            if now_s - pinged_s >= _PING_S:
                link.send(action("Ping"))
                pinged_s = now_s
            if now_s - heard_s >= _DEAD_S:
                raise PbxProblem(
                    f"{self._account.place} gives no sign of life. The network may be cut; it is tried again."
                )
        with contextlib.suppress(PbxProblem):
            link.send(action("Logoff"))
