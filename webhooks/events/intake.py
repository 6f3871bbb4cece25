"""The hook's way to the disk: events and their deliveries in one transaction, committed in groups.

Requests hand their events to one writer thread a process and wait. While it commits, others gather; they
share the next commit. Only what is committed is answered with 2xx (invariant I1).

A batch that makes very many rows is stored in several transactions, with others between. It is judged whole
before the first and answered after the last; sent again after a crash in between, what is there already
counts as known, and the rest is stored.
"""

import contextlib
import logging
import queue
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Final

from webhooks.db import row_errors
from webhooks.db.raw import RawConnection
from webhooks.db.store import Store, config_version, now_ms
from webhooks.db.write_lock import WRITE_WAIT
from webhooks.errors import Busy, LocationPaused, SpokeError, Unauthorised, Unconfirmed
from webhooks.events.routing import RoutingTable
from webhooks.events.schema import IncomingEvent
from webhooks.events.storage import Accepted, store, wanted_by
from webhooks.outbox.wakeup import Waker

_GROUP: Final = 64  # submissions in one transaction
_ROWS: Final = 1_000  # events and deliveries in one transaction, about
_ROWS_OF_A_LARGE_ONE: Final = 300  # of a batch that makes more than that
_LARGE_ONES: Final = 2  # at a time: each has a web thread until it is done
_LET_OTHERS: Final = 0.005  # seconds between two transactions of one batch, for who waits for the lock
_COMMIT_WAIT: Final = 60.0  # seconds for a commit that has begun; the outcome is unknown after it
_INTAKE_LOCK: Final = 0x53706F6B65  # PostgreSQL's advisory lock for this transaction

log = logging.getLogger(__name__)


def _taken_lock() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass
class _Submission:
    sender: bytes | int
    events: list[IncomingEvent]
    origin: str
    only_webhook: int | None = None
    taken: bool = False
    abandoned: bool = False
    location_id: int | None = None  # once it is judged
    stored: list[Accepted] = field(default_factory=list)
    committed: int = 0  # events, of those stored
    answer: list[Accepted] | SpokeError | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    # Held until the answer is there: an Event does the same with three times the work.
    ready: threading.Lock = field(default_factory=_taken_lock)


class Intake:
    """One for each process that takes events. Its threads start with the first submission, after any fork."""

    def __init__(self, store: Store, waker: Waker) -> None:
        self._store, self._waker = store, waker
        self._queue: queue.SimpleQueue[_Submission] = queue.SimpleQueue()
        self._start_lock = threading.Lock()
        self._started = False
        self._directory: RoutingTable | None = None
        self._unfinished: list[_Submission] = []

    def namespace(self, token_hash: bytes) -> uuid.UUID:
        """The namespace of a token's location, by what this process knows; a doubt is settled by a look.

        Raises:
            Unauthorised, LocationPaused, Busy.
        """
        directory = self._directory
        if directory is not None:
            with contextlib.suppress(Unauthorised, LocationPaused):
                return directory.namespaces[directory.location(token_hash)]
        with self._store.direct_read() as direct:
            directory = self._current(direct)
        return directory.namespaces[directory.location(token_hash)]

    def submit(
        self,
        sender: bytes | int,
        events: list[IncomingEvent],
        origin: str = "pbx",
        only_webhook: int | None = None,
    ) -> list[Accepted]:
        """Store events and make their deliveries; returns once all is on disk.

        ``sender`` is a token's hash, judged in the transaction itself, or the id of a location.
        ``only_webhook`` sends a test event to that webhook and no other.

        Raises:
            Busy: nothing was written, or of a large batch a part, as its sentence then says.
            Unauthorised, LocationPaused: the location went meanwhile.
        """
        self._start()
        submission = _Submission(sender, events, origin, only_webhook)
        self._queue.put(submission)
        if not submission.ready.acquire(timeout=WRITE_WAIT):
            with submission.lock:
                submission.abandoned = not submission.taken
            if submission.abandoned:
                raise Busy("The database is busy with another write; nothing was written. Try again.")
            before = -1
            while not submission.ready.acquire(timeout=_COMMIT_WAIT):
                if len(submission.stored) == before:
                    raise Unconfirmed(
                        "The disk did not confirm in time; the event may come twice if it is sent again.",
                        submission.ready.acquire,
                    )
                before = len(submission.stored)
        if isinstance(submission.answer, SpokeError):
            raise submission.answer
        assert submission.answer is not None
        return submission.answer

    def _start(self) -> None:
        if self._started:
            return
        with self._start_lock:
            if not self._started:
                self._waker.start()
                threading.Thread(target=self._write, name="intake", daemon=True).start()
                self._started = True

    def _write(self) -> None:
        while True:
            group = self._unfinished or [self._queue.get()]
            self._unfinished = []
            answers: list[list[Accepted] | SpokeError | None]
            try:
                with self._store.direct(wait=None) as direct:
                    # Only now that it is our turn: who waited too long meanwhile has been sent away.
                    group = self._take(group)
                    answers = self._store_group(direct, group)
            except Busy as error:
                log.warning("events not stored", extra={"reason": error})
                answers = [error] * len(group)
            except Exception:
                log.exception("events not stored: internal error")
                answers = [Busy("The event could not be stored; nothing was written.")] * len(group)
            for submission, answer in zip(group, answers, strict=True):
                if answer is None:
                    submission.committed = len(submission.stored)
                    self._unfinished.append(submission)
                    continue
                submission.answer = _with_what_is_there(submission, answer)
                submission.ready.release()
            if any(one.deliveries for submission in group for one in submission.stored):
                self._waker.wake()
            if self._unfinished:
                time.sleep(_LET_OTHERS)

    def _take(self, group: list[_Submission]) -> list[_Submission]:
        while len(group) < _GROUP and not self._queue.empty():
            group.append(self._queue.get())
        for submission in group:
            with submission.lock:
                submission.taken = not submission.abandoned
        return [submission for submission in group if submission.taken]

    def _store_group(
        self, direct: RawConnection, group: list[_Submission]
    ) -> list[list[Accepted] | SpokeError | None]:
        """The answers; None for what needs another transaction."""
        if not direct.sqlite:
            # One intake at a time, as SQLite has it: two web processes cannot dead-lock on the same events,
            # and ids are given in the order of the commits.
            direct.run("SELECT pg_advisory_xact_lock(:key)", {"key": _INTAKE_LOCK})
        directory = self._current(direct)
        answers: list[list[Accepted] | SpokeError | None] = []
        rows = large = 0
        for submission in group:
            if _is_large(directory, submission):
                room, large = _ROWS_OF_A_LARGE_ONE, large + 1
            elif rows < _ROWS:
                room = _ROWS
            else:
                answers.append(None)
                continue
            # A fault of one submission must not fail its neighbours.
            direct.run("SAVEPOINT submission")
            there = len(submission.stored)
            try:
                if large > _LARGE_ONES and room < _ROWS:
                    raise Busy("Large batches are being stored; nothing was written of this one. Try again.")
                answers.append(_store(direct, directory, submission, room))
                rows += _rows(submission.stored[there:])
            except Exception as error:
                if not isinstance(error, SpokeError) and not row_errors.of_one_row(error):
                    raise
                direct.run("ROLLBACK TO SAVEPOINT submission")
                refused = submission.events[len(submission.stored)].id
                del submission.stored[there:]
                if isinstance(error, SpokeError):
                    answers.append(error)
                else:
                    reason = row_errors.reason(error)
                    log.error("event not stored", extra={"event": refused, "reason": reason})
                    answers.append(Busy(f"It could not be stored: {reason}."))
            direct.run("RELEASE SAVEPOINT submission")
        return answers

    def _current(self, direct: RawConnection) -> RoutingTable:
        version = config_version(direct)
        directory = self._directory
        if directory is None or directory.version != version:
            directory = self._directory = RoutingTable.read(direct, version)
        return directory


def _rows(stored: list[Accepted]) -> int:
    return sum(1 if one.duplicate else 1 + one.deliveries for one in stored)


def _is_large(directory: RoutingTable, submission: _Submission) -> bool:
    """Whether it may make more rows than one transaction should have."""
    sender = submission.sender if submission.location_id is None else submission.location_id
    with contextlib.suppress(Unauthorised, LocationPaused):
        location_id = directory.location(sender) if isinstance(sender, bytes) else sender
        webhooks = len(directory.subscriptions.get(location_id, ()))
        return len(submission.events) > 1 and len(submission.events) * (1 + webhooks) > _ROWS
    return False


def _with_what_is_there(
    submission: _Submission, answer: list[Accepted] | SpokeError
) -> list[Accepted] | SpokeError:
    """A failure in the middle of a large batch says what is stored already."""
    if not isinstance(answer, Busy) or not submission.committed:
        return answer
    return Busy(
        f"{answer} Of this batch {submission.committed:,} of {len(submission.events):,} events are stored: "
        "send it again, with the same ids, and the rest is taken."
    )


def _store(
    direct: RawConnection, directory: RoutingTable, submission: _Submission, room: int
) -> list[Accepted] | None:
    """Store events until ``room`` rows are made; returns all of the submission's once it has them."""
    if submission.location_id is None:
        sender = submission.sender
        submission.location_id = directory.location(sender) if isinstance(sender, bytes) else sender
    location_id = submission.location_id
    if location_id not in directory.subscriptions:
        raise Unauthorised("The location was deleted.")
    subscriptions = directory.subscriptions[location_id]
    now = now_ms()
    for event in submission.events[len(submission.stored) :]:
        if room <= 0:
            return None
        targets = wanted_by(subscriptions, submission.only_webhook, event)
        one = store(direct, location_id, submission.origin, event, targets, now)
        submission.stored.append(one)
        room -= _rows([one])
    return submission.stored
