"""Intake: stores events together with their deliveries, many requests in one commit.

Requests hand their events to the intake thread of their process, and wait. While it commits, others gather;
they share the next commit. A request is answered 2xx only after its commit.

A batch that makes very many rows is stored in several transactions, with others between. It is validated
whole before the first, and answered after the last. If a crash comes in between and the batch is sent again,
the events that are there count as duplicates, and the rest is stored.
"""

import contextlib
import logging
import queue
import threading
import time
import uuid
from typing import Final

from webhooks.db import row_errors
from webhooks.db.meta import config_version
from webhooks.db.raw import RawConnection
from webhooks.db.store import Store, now_ms
from webhooks.errors import (
    LocationPaused,
    NoCapacity,
    RowRefused,
    SpokeError,
    Unauthorised,
    Unavailable,
    WriteFailed,
)
from webhooks.events.first_use import FirstUse
from webhooks.events.routing import RoutingTable
from webhooks.events.schema import IncomingEvent
from webhooks.events.storage import Accepted, store, wanted_by
from webhooks.events.submission import Submission
from webhooks.outbox.wakeup import Waker

_GROUP: Final = 64  # submissions in one transaction
_ROWS: Final = 1_000  # events and deliveries in one transaction, about
_ROWS_OF_A_LARGE_BATCH: Final = 300  # in one transaction; it makes more than ``_ROWS`` in all
_LARGE_BATCHES: Final = 2  # at a time: each has a web thread until it is done
_PAUSE_SECONDS: Final = 0.005  # between two transactions of one batch, for those that wait for the lock
_INTAKE_LOCK: Final = 0x53706F6B65  # PostgreSQL's advisory lock for this transaction

log = logging.getLogger(__name__)


class Intake:
    """The way of events to the disk, one for each process that takes events.

    Its threads start with the first submission, so after any fork.
    """

    def __init__(self, store: Store, waker: Waker) -> None:
        self._store, self._waker = store, waker
        self._queue: queue.SimpleQueue[Submission] = queue.SimpleQueue()
        self._start = FirstUse(self._start_threads)
        self._routing: RoutingTable | None = None
        self._unfinished: list[Submission] = []

    def namespace(self, token_hash: bytes) -> uuid.UUID:
        """Return the namespace for ids of a token's location.

        The routing table of this process may be old. The database is read before a token is refused.

        Raises:
            Unauthorised, LocationPaused, ReadFailed.
        """
        routing = self._routing
        if routing is not None:
            with contextlib.suppress(Unauthorised, LocationPaused):
                return routing.namespaces[routing.location(token_hash)]
        with self._store.direct_read() as direct:
            routing = self._current(direct)
        return routing.namespaces[routing.location(token_hash)]

    def location(self, token_hash: bytes) -> int:
        """Return the location of a token, as the database has it now.

        Raises:
            Unauthorised, LocationPaused, ReadFailed.
        """
        with self._store.direct_read() as direct:
            return self._current(direct).location(token_hash)

    def namespace_of(self, location_id: int) -> uuid.UUID:
        """Return the namespace for ids of a location.

        Raises:
            Unauthorised: the location was deleted. ReadFailed.
        """
        routing = self._routing
        if routing is None or location_id not in routing.namespaces:
            with self._store.direct_read() as direct:
                routing = self._current(direct)
        if location_id not in routing.namespaces:
            raise Unauthorised("The location was deleted.")
        return routing.namespaces[location_id]

    def known_location(self, token_hash: bytes) -> int | None:
        """Return the location of a token, paused ones too, as this process last read them."""
        return None if self._routing is None else self._routing.tokens.get(token_hash)

    def submit(
        self,
        sender: bytes | int,
        events: list[IncomingEvent],
        origin: str = "pbx",
        only_webhook: int | None = None,
    ) -> list[Accepted]:
        """Store events and make their deliveries; return once all is on disk.

        Raises:
            Unavailable: nothing was written, or of a large batch a part, as its sentence then says.
            Unconfirmed: nobody knows whether it was.
            Unauthorised, LocationPaused: the location went meanwhile.
        """
        return self.hand_in(sender, events, origin, only_webhook).result()

    def hand_in(
        self,
        sender: bytes | int,
        events: list[IncomingEvent],
        origin: str = "pbx",
        only_webhook: int | None = None,
    ) -> Submission:
        """Queue events to be stored; the submission's ``result`` waits for that.

        ``sender`` is a token's hash, judged in the transaction itself, or the id of a location.
        ``only_webhook`` sends a test event to that webhook and no other.
        """
        self._start()
        submission = Submission(sender, events, origin, only_webhook)
        self._queue.put(submission)
        return submission

    def _start_threads(self) -> None:
        self._waker.start()
        threading.Thread(target=self._write, name="intake", daemon=True).start()

    def _write(self) -> None:
        while True:
            group = self._unfinished or [self._queue.get()]
            self._unfinished = []
            answers: list[list[Accepted] | SpokeError | None]
            try:
                with self._store.direct(wait=None) as direct:
                    # Only now that the lock is ours: requests that waited too long for it have given up.
                    group = self._gathered(group)
                    answers = self._store_group(direct, group)
            except Unavailable as error:
                log.warning("events not stored", extra={"reason": error})
                answers = [error] * len(group)
            except Exception:
                log.exception("events not stored: internal error")
                answers = [WriteFailed("The event could not be stored; nothing was written.")] * len(group)
            for submission, answer in zip(group, answers, strict=True):
                if answer is None:
                    submission.committed = len(submission.stored)
                    self._unfinished.append(submission)
                    continue
                submission.settle(_with_progress(submission, answer))
            if any(accepted.deliveries for submission in group for accepted in submission.stored):
                self._waker.wake()
            if self._unfinished:
                time.sleep(_PAUSE_SECONDS)

    def _gathered(self, group: list[Submission]) -> list[Submission]:
        while len(group) < _GROUP and not self._queue.empty():
            group.append(self._queue.get())
        return [submission for submission in group if submission.begin()]

    def _store_group(
        self, direct: RawConnection, group: list[Submission]
    ) -> list[list[Accepted] | SpokeError | None]:
        """Store what fits into one transaction. Returns an answer each; None for what needs another one."""
        if not direct.sqlite:
            # One intake at a time, as SQLite has it: two web processes cannot dead-lock on the same events,
            # and ids are given in the order of the commits.
            direct.run("SELECT pg_advisory_xact_lock(:key)", {"key": _INTAKE_LOCK})
        routing = self._current(direct)
        answers: list[list[Accepted] | SpokeError | None] = []
        rows = large = 0
        for submission in group:
            if _is_large(routing, submission):
                room, large = _ROWS_OF_A_LARGE_BATCH, large + 1
            elif rows < _ROWS:
                room = _ROWS
            else:
                answers.append(None)
                continue
            # An error of one submission must not fail the others.
            direct.run("SAVEPOINT submission")
            before = len(submission.stored)
            try:
                if large > _LARGE_BATCHES and room < _ROWS:
                    raise NoCapacity(
                        "Large batches are being stored; nothing was written of this one. Try again."
                    )
                answers.append(_store(direct, routing, submission, room))
                rows += _rows(submission.stored[before:])
            except Exception as error:
                if not isinstance(error, SpokeError) and not row_errors.of_one_row(error):
                    raise
                direct.run("ROLLBACK TO SAVEPOINT submission")
                refused = submission.events[len(submission.stored)].id
                del submission.stored[before:]
                if isinstance(error, SpokeError):
                    answers.append(error)
                else:
                    reason = row_errors.reason(error)
                    log.error("event not stored", extra={"event": refused, "reason": reason})
                    answers.append(RowRefused(f"It could not be stored: {reason}."))
            direct.run("RELEASE SAVEPOINT submission")
        return answers

    def _current(self, direct: RawConnection) -> RoutingTable:
        version = config_version(direct)
        routing = self._routing
        if routing is None or routing.version != version:
            routing = self._routing = RoutingTable.read(direct, version)
        return routing


def _rows(stored: list[Accepted]) -> int:
    return sum(1 if accepted.duplicate else 1 + accepted.deliveries for accepted in stored)


def _is_large(routing: RoutingTable, submission: Submission) -> bool:
    """Whether it may make more rows than one transaction should have."""
    sender = submission.sender if submission.location_id is None else submission.location_id
    with contextlib.suppress(Unauthorised, LocationPaused):
        location_id = routing.location(sender) if isinstance(sender, bytes) else sender
        webhooks = len(routing.subscriptions.get(location_id, ()))
        return len(submission.events) > 1 and len(submission.events) * (1 + webhooks) > _ROWS
    return False


def _with_progress(
    submission: Submission, answer: list[Accepted] | SpokeError
) -> list[Accepted] | SpokeError:
    """Add to the failure of a large batch how much of it is stored already."""
    if not isinstance(answer, Unavailable) or not submission.committed:
        return answer
    return type(answer)(
        f"{answer} Of this batch {submission.committed:,} of {len(submission.events):,} events are stored: "
        "send it again, with the same ids, and the rest is taken.",
        answer.retry_after,
    )


def _store(
    direct: RawConnection, routing: RoutingTable, submission: Submission, room: int
) -> list[Accepted] | None:
    """Store events until ``room`` rows are made. Returns all answers of the submission once it has them."""
    if submission.location_id is None:
        sender = submission.sender
        submission.location_id = routing.location(sender) if isinstance(sender, bytes) else sender
    location_id = submission.location_id
    if location_id not in routing.subscriptions:
        raise Unauthorised("The location was deleted.")
    subscriptions = routing.subscriptions[location_id]
    now = now_ms()
    for event in submission.events[len(submission.stored) :]:
        if room <= 0:
            return None
        targets = wanted_by(subscriptions, submission.only_webhook, event)
        accepted = store(direct, location_id, submission.origin, event, targets, now)
        submission.stored.append(accepted)
        room -= _rows([accepted])
    return submission.stored
