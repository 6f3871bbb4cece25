"""The threads that make attempts: two fast ones for receivers that answer at once, a pool for the rest.

The fast ones take chunks of a lane that has much to send, and single deliveries of lanes that have little.
Of these, a thread serves some before it goes on with a chunk, and a chunk makes way for them after each row.

Many threads beside each other cost more than they bring where each request takes a millisecond; where a
receiver takes its time, only threads help. A watcher cuts attempts off at their deadline, and puts a new
thread in the place of a fast one that got stuck.

Attempts stand back: for the hook, which a PBX waits for, by their threads' priority; and for whoever waits
for the database, by ``rest``.
"""

import collections
import concurrent.futures
import contextlib
import logging
import os
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from webhooks.db.store import now_ms
from webhooks.dispatcher.lane import Lane
from webhooks.errors import SpokeError
from webhooks.outbound.attempt import Message, Outcome, fault
from webhooks.outbound.deadline import Deadline
from webhooks.outbox.claim import Row

FAST_THREADS: Final = 2
FAST_QUEUE: Final = 2 * FAST_THREADS  # chunks
SHORT_QUEUE: Final = 100  # single deliveries
POOL_THREADS: Final = 128
_SHORT_RUN: Final = 20  # single deliveries that a thread makes before it takes a chunk's next row
_STUCK_SECONDS: Final = 0.05
_WATCH_SECONDS: Final = 0.025
_NICE: Final = 5
_MARGIN: Final = 1.0  # seconds by which a lease has to outlast an attempt's timeout

log = logging.getLogger(__name__)


@dataclass(eq=False)
class Task:
    """Rows of one lane for one thread: whole chains, one behind the other.

    ``expires`` is the lease's end on the monotonic clock. ``short``: a single row for a fast thread.
    """

    lane: Lane
    rows: list[Row]
    expires: float
    fast: bool
    cautious: bool
    short: bool = False
    sent: int = 0
    done: list[tuple[Row, Outcome]] = field(default_factory=list)
    unsent: list[Row] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    abandoned: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a task. A task that got stuck reports twice; only the last report frees its place."""

    task: Task
    done: list[tuple[Row, Outcome]]
    unsent: list[Row]
    last: bool


def _stand_back() -> None:
    """Lower the priority of the calling thread, and of no other (Linux: setpriority(2), NOTES)."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


class WorkerPool:
    """Takes tasks, gives reports. ``report`` is called from the threads, and ``text`` at each attempt: it
    gives a row's body as it is to be sent now.

    While the dispatcher holds ``rest``, no attempt begins: it has the interpreter almost to itself.
    """

    def __init__(self, report: Callable[[Report], None], text: Callable[[Row], str]) -> None:
        self._report, self._text = report, text
        self.rest = threading.Lock()
        # For each task of the fast threads there is one True in the queue; False ends a thread.
        self._queue: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._short: collections.deque[Task] = collections.deque()
        self._chunks: collections.deque[Task] = collections.deque()
        self._pool = concurrent.futures.ThreadPoolExecutor(POOL_THREADS, "attempt", _stand_back)
        self._deadlines: set[Deadline] = set()
        self._fast: dict[threading.Thread, tuple[Task, Deadline] | None] = {}
        self._stopping = threading.Event()
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="watcher", daemon=True)

    def start(self) -> None:
        for _ in range(FAST_THREADS):
            self._start_fast()
        self._watcher.start()

    def take(self, task: Task) -> None:
        if task.fast:
            (self._short if task.short else self._chunks).append(task)
            self._queue.put(True)
        else:
            self._pool.submit(self._run, task)

    def stop(self) -> None:
        """Begin no further attempt; those under way go on."""
        self._stopping.set()

    def cut(self) -> None:
        """Break off what is still under way."""
        for deadline in list(self._deadlines):
            deadline.cut("stop")

    def end(self) -> None:
        self._ended.set()
        for _ in self._fast:
            self._queue.put(False)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _start_fast(self) -> None:
        thread = threading.Thread(target=self._serve, name="fast", daemon=True)
        self._fast[thread] = None
        thread.start()

    def _serve(self) -> None:
        _stand_back()
        run = 0
        while self._queue.get():
            chunk_first = run >= _SHORT_RUN
            task = (
                self._next(self._chunks, self._short)
                if chunk_first
                else self._next(self._short, self._chunks)
            )
            run = run + 1 if task.short else 0
            if not self._run(task):
                return  # it got stuck: another thread has its place

    @staticmethod
    def _next(*queues: collections.deque[Task]) -> Task:
        for waiting in queues:
            with contextlib.suppress(IndexError):
                return waiting.popleft()
        raise AssertionError("there are as many tasks as there is word of them")

    def _run(self, task: Task) -> bool:
        """Work a task off, or make way; False if the watcher took it away meanwhile."""
        begun = task.sent
        try:
            while task.sent < len(task.rows):
                if task.fast and not task.short and self._short and task.sent > begun:
                    self._chunks.appendleft(task)
                    self._queue.put(True)
                    return True
                if not self._send_next(task):
                    break
        except Exception:
            # Nothing may end the thread with rows in its hands. They come back when their lease ends.
            log.exception("internal error in an attempt; its delivery is sent again")
        with task.lock:
            self._report(Report(task, task.done, task.unsent, last=True))
            return not task.abandoned

    def _send_next(self, task: Task) -> bool:
        """Send one row. At the first failure the rest of the task goes back: its call's later ones wait."""
        with self.rest:
            pass
        row = task.rows[task.sent]
        timeout = task.lane.sender.endpoint.timeout
        held = task.lane.health.held_until > now_ms()  # since it was claimed, by another request's answer
        if self._stopping.is_set() or held or time.monotonic() + timeout + _MARGIN > task.expires:
            task.unsent = task.rows[task.sent :]
            return False
        outcome = self._attempt(task, row, timeout)
        with task.lock:
            task.done.append((row, outcome))
            task.sent += 1
            if not task.abandoned and not outcome.delivered:
                task.unsent = task.rows[task.sent :]
            return outcome.delivered and not task.abandoned

    def _attempt(self, task: Task, row: Row, timeout: float) -> Outcome:
        deadline = Deadline(timeout)
        thread = threading.current_thread()
        self._deadlines.add(deadline)
        if task.fast:
            self._fast[thread] = (task, deadline)
        try:
            message = Message(row.id, row.attempts + 1, row.message_id, self._text(row))
            return task.lane.sender.send(message, deadline)
        except SpokeError as error:  # the body could not be made
            return Outcome(row.id, row.attempts + 1, now_ms(), error=str(error))
        except Exception as error:  # of whatever kind: counted, and tried again by the schedule
            return Outcome(row.id, row.attempts + 1, now_ms(), error=fault(error))
        finally:
            self._deadlines.discard(deadline)
            if task.fast and thread in self._fast:
                self._fast[thread] = None

    def _watch(self) -> None:
        while not self._ended.wait(_WATCH_SECONDS):
            now = time.monotonic()
            for deadline in list(self._deadlines):
                if now >= deadline.at:
                    deadline.cut("deadline")
            for thread, work in list(self._fast.items()):
                if work is not None and now - work[1].started > _STUCK_SECONDS:
                    self._replace(thread, *work)

    def _replace(self, thread: threading.Thread, task: Task, deadline: Deadline) -> None:
        """Leave a stuck thread alone with its one attempt; what it had not begun goes back."""
        with task.lock:
            if self._fast.get(thread) != (task, deadline):
                return  # it came through just now
            del self._fast[thread]
            task.abandoned = True
            report = Report(task, task.done, task.rows[task.sent + 1 :], last=False)
            task.done = []
        self._report(report)
        self._start_fast()
