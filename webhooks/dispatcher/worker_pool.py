"""The worker pool: threads that make attempts. Two fast ones, and a pool for receivers that take their time.

Fast threads take bulk tasks of lanes that have much to send, and single rows of lanes that have little. A
thread sends some singles before it goes on with a bulk task; a bulk task makes way for them after each row.

Where a request takes a millisecond, many threads cost more than they bring; where a receiver takes its time,
only threads help. The watchdog replaces a fast thread that is stuck.

Attempt threads run at a lower priority than the threads that take events in, and begin no attempt while the
dispatcher holds ``pause``.
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
from typing import Final

from webhooks.db.store import now_ms
from webhooks.dispatcher.task import Report, Task, TaskKind
from webhooks.errors import SpokeError
from webhooks.outbound.deadline import Deadline
from webhooks.outbound.sender import Message, Outcome, internal_error
from webhooks.outbox.rows import ClaimedRow

FAST_THREADS: Final = 2
FAST_BULKS: Final = 2 * FAST_THREADS  # bulk tasks at a time, those that wait included
FAST_SINGLES: Final = 100  # single rows at a time, likewise
LEASE_MARGIN_S: Final = 1.0  # a lease has to outlast an attempt's timeout by so much
_SINGLES_RUN: Final = 20  # single rows that a thread sends before it goes on with a bulk task
_STUCK_S: Final = 0.05
_STUCK_LATE_S: Final = 1.0  # instead, while the watchdog itself gets no processor in time
_WATCH_S: Final = 0.025
_NICENESS: Final = 5

log = logging.getLogger(__name__)


def _lower_priority() -> None:
    """Lower the priority of the calling thread, and of no other (Linux: setpriority(2), NOTES)."""
    usual = os.getpriority(os.PRIO_PROCESS, os.getpid())  # the main thread's
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), usual + _NICENESS)


def stuck_after_s(since_last_watch_s: float) -> float:
    """How long an attempt of a fast thread may take before the thread is replaced.

    On a machine that is busy with other things all attempts take long, and no receiver is to blame. To
    replace threads then would only add work: each gives the rows back that it had not begun.
    """
    return _STUCK_S if since_last_watch_s < 2 * _WATCH_S else _STUCK_LATE_S


class WorkerPool:
    """Takes tasks and reports their outcomes.

    ``threads``: the most of the pool, for slow and unproven receivers; they are started on demand and stay.

    ``report`` is called from the threads. So is ``body``, at each attempt: it gives a row's body as it is to
    be sent now. While the dispatcher holds ``pause``, no attempt begins: it has the interpreter almost to
    itself.
    """

    def __init__(
        self, report: Callable[[Report], None], body: Callable[[ClaimedRow], str], threads: int
    ) -> None:
        self._report, self._body = report, body
        self.pause = threading.Lock()
        # One True for each task in the two deques: a thread can wait for both at once. False ends a thread.
        self._signals: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._singles: collections.deque[Task] = collections.deque()
        self._bulks: collections.deque[Task] = collections.deque()
        # To start a thread takes as long as that waits for the interpreter: not in the dispatcher's thread.
        self._to_start: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._starter = threading.Thread(target=self._hand_to_pool, name="starter", daemon=True)
        self._pool = concurrent.futures.ThreadPoolExecutor(threads, "attempt", _lower_priority)
        self._deadlines: set[Deadline] = set()
        self._fast: dict[threading.Thread, tuple[Task, Deadline] | None] = {}
        self._stopping = threading.Event()
        self._closed = threading.Event()
        self._fast_began = threading.Event()  # an attempt of a fast thread, since the watchdog last looked
        self._watchdog = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        """Start the fast threads and the watchdog. The pool starts its threads as tasks come."""
        for _ in range(FAST_THREADS):
            self._start_fast_thread()
        self._watchdog.start()
        self._starter.start()

    def submit(self, task: Task) -> None:
        """Have a task done; its report follows."""
        if task.kind.is_fast:
            (self._singles if task.kind is TaskKind.SINGLE else self._bulks).append(task)
            self._signals.put(True)
        else:
            self._to_start.put(task)

    def stop(self) -> None:
        """Begin no further attempt. Those in flight go on."""
        self._stopping.set()

    def abort(self) -> None:
        """Break off the attempts in flight."""
        for deadline in list(self._deadlines):
            deadline.abort()

    def close(self) -> None:
        """End the threads."""
        self._closed.set()
        self._fast_began.set()
        for _ in self._fast:
            self._signals.put(False)
        self._to_start.put(None)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _hand_to_pool(self) -> None:
        while (task := self._to_start.get()) is not None:
            try:
                self._pool.submit(self._run, task)
            except RuntimeError as error:
                if self._closed.is_set():
                    return
                # The system gives no further thread: the task waits for one of the others.
                log.warning("no further thread for attempts", extra={"reason": error})

    def _start_fast_thread(self) -> None:
        thread = threading.Thread(target=self._serve, name="fast", daemon=True)
        self._fast[thread] = None
        thread.start()

    def _serve(self) -> None:
        _lower_priority()
        singles_run = 0
        while self._signals.get():
            if singles_run < _SINGLES_RUN:
                task = self._next(self._singles, self._bulks)
            else:
                task = self._next(self._bulks, self._singles)
            singles_run = singles_run + 1 if task.kind is TaskKind.SINGLE else 0
            if not self._run(task):
                return  # it was stuck: another thread has its place

    @staticmethod
    def _next(*deques: collections.deque[Task]) -> Task:
        for tasks in deques:
            with contextlib.suppress(IndexError):  # the other fast thread was quicker at this one
                return tasks.popleft()
        raise AssertionError("signals and deques are out of step")

    def _run(self, task: Task) -> bool:
        """Send a task's rows, or make way for single ones. Returns False if the watchdog abandoned it."""
        sent_before = task.sent
        bulk = task.kind is TaskKind.BULK
        try:
            while task.sent < len(task.rows):
                # After at least one row: else it would never come to its end beside many singles.
                if bulk and self._singles and task.sent > sent_before:
                    self._bulks.appendleft(task)
                    self._signals.put(True)
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
        """Send one row. Returns False where no further row of the task may be sent.

        At the first failure the others go back: the later ones of its call have to wait for it.
        """
        with self.pause:  # only waited for, never kept: attempts do not wait for each other
            pass
        row = task.rows[task.sent]
        timeout_s = task.lane.timeout_s
        held = task.lane.health.held_until_ms > now_ms()  # since the claim, by another attempt's answer
        lease_ends = time.monotonic() + timeout_s + LEASE_MARGIN_S > task.lease_end_s
        if held or lease_ends or self._stopping.is_set():
            task.unsent = task.rows[task.sent :]
            return False
        outcome = self._attempt(task, row, timeout_s)
        with task.lock:
            task.done.append((row, outcome))
            task.sent += 1
            if not task.abandoned and not outcome.delivered:
                task.unsent = task.rows[task.sent :]
            return outcome.delivered and not task.abandoned

    def _attempt(self, task: Task, row: ClaimedRow, timeout_s: float) -> Outcome:
        number = row.attempts + 1
        deadline = Deadline(timeout_s)
        thread = threading.current_thread()
        self._deadlines.add(deadline)
        fast = task.kind.is_fast
        if fast:
            self._fast[thread] = (task, deadline)
            if not self._fast_began.is_set():
                self._fast_began.set()
        try:
            message = Message(row.id, number, row.message_id, self._body(row))
            return task.lane.sender.send(message, deadline)
        except SpokeError as error:  # the body could not be made
            return Outcome(row.id, number, now_ms(), error=str(error))
        except Exception as error:  # of whatever kind: counted, and tried again by the schedule
            return Outcome(row.id, number, now_ms(), error=internal_error(error))
        finally:
            self._deadlines.discard(deadline)
            # A thread that was replaced is not in the dict any more, and must not come back to it.
            if fast and thread in self._fast:
                self._fast[thread] = None

    def _watch(self) -> None:
        _lower_priority()  # as the threads that it watches: it shares their lot
        while self._fast_began.wait() and not self._closed.is_set():
            self._fast_began.clear()
            watched_s = time.monotonic()
            self._closed.wait(_WATCH_S)
            now_s = time.monotonic()
            stuck_s = stuck_after_s(now_s - watched_s)
            for thread, work in list(self._fast.items()):
                if work is None:
                    continue
                self._fast_began.set()  # it goes on: look again
                if now_s - work[1].started_s > stuck_s:
                    self._replace(thread, *work)

    def _replace(self, thread: threading.Thread, task: Task, deadline: Deadline) -> None:
        """Leave a stuck thread alone with its one attempt. The rows that it had not begun go back."""
        with task.lock:
            if self._fast.get(thread) != (task, deadline):
                return  # it came through just now
            del self._fast[thread]
            task.abandoned = True
            report = Report(task, task.done, task.rows[task.sent + 1 :], last=False)
            task.done = []
        self._report(report)
        self._start_fast_thread()
