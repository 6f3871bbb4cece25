"""The threads that make attempts: two fast ones for receivers that answer at once, a pool for the rest.

Many threads beside each other cost more than they bring where each request takes a millisecond; where a
receiver takes its time, only threads help. A watcher cuts attempts off at their deadline, and puts a new
thread in the place of a fast one that got stuck.
"""

import concurrent.futures
import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from webhooks.db import now_ms
from webhooks.delivery.attempt import Message, Outcome
from webhooks.delivery.deadline import Deadline
from webhooks.delivery.lanes import Lane
from webhooks.delivery.outbox import Chain, Row
from webhooks.errors import SpokeError

FAST_THREADS: Final = 2
FAST_QUEUE: Final = 2 * FAST_THREADS
POOL_THREADS: Final = 128
_STUCK_SECONDS: Final = 0.05
_WATCH_SECONDS: Final = 0.025
_MARGIN: Final = 1.0  # seconds by which a lease has to outlast an attempt's timeout

log = logging.getLogger(__name__)


@dataclass(eq=False)
class Task:
    """Chains of one lane for one thread. ``expires`` is the lease's end on the monotonic clock."""

    lane: Lane
    chains: list[Chain]
    expires: float
    fast: bool
    cautious: bool
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


@dataclass(slots=True)
class Places:
    """Free places of the crew while a round gives them out."""

    fast: int
    slow: int
    cautious: int

    def of(self, lane: Lane) -> int:
        """Those that a lane of its kind may have."""
        if lane.cautious:
            return min(self.slow, self.cautious)
        return self.fast if lane.quick else self.slow

    def fill(self, lane: Lane, chains: list[Chain], expires: float) -> list[Task]:
        """Tasks for a claim's chains: one for a fast thread, or one a chain for the pool."""
        if lane.quick and not lane.cautious:
            tasks = [Task(lane, chains, expires, fast=True, cautious=False)] if chains else []
            self.fast -= len(tasks)
            return tasks
        tasks = [Task(lane, [chain], expires, fast=False, cautious=lane.cautious) for chain in chains]
        self.slow -= len(tasks)
        self.cautious -= len(tasks) if lane.cautious else 0
        return tasks


class Crew:
    """Takes tasks, gives reports. ``report`` is called from the threads, and ``text`` at each attempt: it
    gives a row's body as it is to be sent now."""

    def __init__(self, report: Callable[[Report], None], text: Callable[[Row], str]) -> None:
        self._report, self._text = report, text
        self._queue: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._pool = concurrent.futures.ThreadPoolExecutor(POOL_THREADS, "attempt")
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
            self._queue.put(task)
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
            self._queue.put(None)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _start_fast(self) -> None:
        thread = threading.Thread(target=self._serve, name="fast", daemon=True)
        self._fast[thread] = None
        thread.start()

    def _serve(self) -> None:
        while True:
            task = self._queue.get()
            if task is None:
                return
            if not self._run(task):
                return  # it got stuck: another thread has its place

    def _run(self, task: Task) -> bool:
        """Work a task off; False if the watcher took it away meanwhile."""
        try:
            for index, chain in enumerate(task.chains):
                if not self._send_chain(task, chain, index):
                    break
        except Exception:
            # Nothing may end the thread with rows in its hands. They come back when their lease ends.
            log.exception("an attempt ended in a fault of ours")
        with task.lock:
            self._report(Report(task, task.done, task.unsent, last=True))
            return not task.abandoned

    def _send_chain(self, task: Task, chain: Chain, index: int) -> bool:
        """Send a call's messages in order. At the first failure the rest of the task goes back."""
        lane = task.lane
        for place, row in enumerate(chain):
            timeout = lane.sender.endpoint.timeout
            if self._stopping.is_set() or time.monotonic() + timeout + _MARGIN > task.expires:
                self._give_back(task, index, place)
                return False
            outcome = self._attempt(task, row, timeout)
            with task.lock:
                task.done.append((row, outcome))
                if task.abandoned:
                    return False
                if not outcome.delivered:
                    self._give_back(task, index, place + 1)
                    return False
        return True

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
        finally:
            self._deadlines.discard(deadline)
            if task.fast and thread in self._fast:
                self._fast[thread] = None

    def _give_back(self, task: Task, index: int, place: int) -> None:
        task.unsent += task.chains[index][place:]
        for chain in task.chains[index + 1 :]:
            task.unsent += chain

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
            finished = {row.id for row, _ in task.done}
            waiting = [row for chain in task.chains for row in chain if row.id not in finished]
            report = Report(task, task.done, waiting[1:], last=False)
            task.done = []
        self._report(report)
        self._start_fast()
