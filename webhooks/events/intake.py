"""The hook's way to the disk: events and their deliveries in one transaction, committed in groups.

Requests hand their events to one writer thread a process and wait. While it commits, others gather; they
share the next commit. Only what is committed is answered with 2xx (invariant I1).
"""

import contextlib
import logging
import queue
import threading
import uuid
from dataclasses import dataclass, field
from typing import Any, Final

from webhooks.db import WRITE_WAIT, Store, config_version, now_ms
from webhooks.delivery.outbox import NOT_YET
from webhooks.delivery.wakeup import Waker
from webhooks.direct import Direct
from webhooks.errors import Busy, LocationPaused, SpokeError, Unauthorised, Unconfirmed
from webhooks.events.body import IncomingEvent
from webhooks.events.directory import Directory, Subscription
from webhooks.media import shelf

_GROUP: Final = 64  # submissions in one transaction
_COMMIT_WAIT: Final = 60.0  # seconds for a commit that has begun; the outcome is unknown after it
_INTAKE_LOCK: Final = 0x53706F6B65  # PostgreSQL's advisory lock for this transaction

log = logging.getLogger(__name__)

_INSERT_EVENT = """
    INSERT INTO event (location_id, uid, message_id, thread_key, type, subtype, accepted_at, matched,
                       origin, body)
    VALUES (:location_id, :uid,
            CASE WHEN EXISTS (SELECT 1 FROM event WHERE location_id = :location_id AND uid = :uid)
                 THEN :derived_id ELSE :message_id END,
            :thread_key, :type, :subtype, :now, :matched, :origin, :body)
    ON CONFLICT (location_id, uid, type, subtype) DO NOTHING RETURNING id
"""
_TWIN = """
    SELECT matched FROM event
    WHERE location_id = :location_id AND uid = :uid AND type = :type AND subtype = :subtype
"""
_INSERT_DELIVERY = """
    INSERT INTO delivery (event_id, webhook_id, thread_key, type, subtype, state, due_at, claims, tries,
                          attempts, created_at)
    VALUES (:event_id, :webhook_id, :thread_key, :type, :subtype, :state, :now, 0, 0, 0, :now)
"""
# Until the recording is ready nobody looks at these. ``first_try_at`` counts from the acceptance: a call's
# later messages wait for a recording as long as for one that fails, 30 seconds.
_INSERT_WAITING = """
    INSERT INTO delivery (event_id, webhook_id, thread_key, type, subtype, state, due_at, first_try_at,
                          claims, tries, attempts, created_at)
    VALUES (:event_id, :webhook_id, :thread_key, :type, :subtype, :state, :due, :now, 0, 0, 0, :now)
"""


@dataclass(frozen=True, slots=True)
class Accepted:
    """One event's answer: the id it has now, how many deliveries it got, whether it was known already."""

    id: str
    deliveries: int
    duplicate: bool


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
        self._directory: Directory | None = None

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
        """Store events, all or none, and make their deliveries; returns once it is on disk.

        ``sender`` is a token's hash, judged in the transaction itself, or the id of a location.
        ``only_webhook`` sends a test event to that webhook and no other.

        Raises:
            Busy: nothing was written. Unauthorised, LocationPaused: the location went meanwhile.
        """
        self._start()
        submission = _Submission(sender, events, origin, only_webhook)
        self._queue.put(submission)
        if not submission.ready.acquire(timeout=WRITE_WAIT):
            with submission.lock:
                submission.abandoned = not submission.taken
            if submission.abandoned:
                raise Busy("The database is busy with another write; nothing was written. Try again.")
            if not submission.ready.acquire(timeout=_COMMIT_WAIT):
                raise Unconfirmed(
                    "The disk did not confirm in time; the event may come twice if it is sent again.",
                    submission.ready.acquire,
                )
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
            group = [self._queue.get()]
            try:
                with self._store.direct(wait=None) as direct:
                    # Only now that it is our turn: who waited too long meanwhile has been sent away.
                    group = self._take(group)
                    answers = self._store_group(direct, group)
            except Busy as error:
                log.warning("intake: %s", error)
                answers = [error] * len(group)
            except Exception:
                log.exception("intake: a fault of ours")
                answers = [Busy("The event could not be stored; nothing was written.")] * len(group)
            for submission, answer in zip(group, answers, strict=True):
                submission.answer = answer
                submission.ready.release()
            if any(one.deliveries for answer in answers if isinstance(answer, list) for one in answer):
                self._waker.wake()

    def _take(self, group: list[_Submission]) -> list[_Submission]:
        while len(group) < _GROUP and not self._queue.empty():
            group.append(self._queue.get())
        for submission in group:
            with submission.lock:
                submission.taken = not submission.abandoned
        return [submission for submission in group if submission.taken]

    def _store_group(self, direct: Direct, group: list[_Submission]) -> list[list[Accepted] | SpokeError]:
        if not direct.sqlite:
            # One intake at a time, as SQLite has it: two web processes cannot dead-lock on the same events,
            # and ids are given in the order of the commits.
            direct.run("SELECT pg_advisory_xact_lock(:key)", {"key": _INTAKE_LOCK})
        directory = self._current(direct)
        answers: list[list[Accepted] | SpokeError] = []
        for submission in group:
            # A fault of one submission must not fail its neighbours.
            direct.run("SAVEPOINT submission")
            try:
                answers.append(_store(direct, directory, submission))
            except (SpokeError, *direct.faults) as error:  # type: ignore[misc]  # a tuple of types it is
                direct.run("ROLLBACK TO SAVEPOINT submission")
                answers.append(
                    error if isinstance(error, SpokeError) else Busy(f"It could not be stored: {error}")
                )
            direct.run("RELEASE SAVEPOINT submission")
        return answers

    def _current(self, direct: Direct) -> Directory:
        version = config_version(direct)
        directory = self._directory
        if directory is None or directory.version != version:
            directory = self._directory = Directory.read(direct, version)
        return directory


def _store(direct: Direct, directory: Directory, submission: _Submission) -> list[Accepted]:
    sender = submission.sender
    location_id = directory.location(sender) if isinstance(sender, bytes) else sender
    if location_id not in directory.subscriptions:
        raise Unauthorised("The location was deleted.")
    subscriptions = directory.subscriptions[location_id]
    now = now_ms()
    return [
        _store_event(direct, location_id, submission, event, _targets(subscriptions, submission, event), now)
        for event in submission.events
    ]


def _store_event(
    direct: Direct,
    location_id: int,
    submission: _Submission,
    event: IncomingEvent,
    targets: list[Subscription],
    now: int,
) -> Accepted:
    row = _event_row(location_id, submission.origin, event, len(targets), now)
    stored = direct.row(_INSERT_EVENT, row)
    if stored is None:
        twin = direct.row(_TWIN, row)
        assert twin is not None, "what stands in an event's way is its twin"
        return Accepted(event.id, twin[0], True)
    if event.media:
        shelf.insert(direct, event.media.id, stored[0], event.media.filename, event.media.size, now)
    if targets:
        shared = {"event_id": stored[0], "thread_key": event.thread_key, "type": event.type,
                  "subtype": event.subtype, "now": now}  # fmt: skip
        if event.media:
            shared["due"] = NOT_YET
        direct.many(
            _INSERT_WAITING if event.media else _INSERT_DELIVERY,
            [
                {**shared, "webhook_id": target.webhook_id, "state": "held" if target.held else "pending"}
                for target in targets
            ],
        )
    return Accepted(event.id, len(targets), False)


def _targets(
    subscriptions: list[Subscription], submission: _Submission, event: IncomingEvent
) -> list[Subscription]:
    if submission.only_webhook is not None:
        return [one for one in subscriptions if one.webhook_id == submission.only_webhook]
    return [one for one in subscriptions if one.filter.matches(event.type, event.subtype)]


def _event_row(location_id: int, origin: str, event: IncomingEvent, matched: int, now: int) -> dict[str, Any]:
    uid = uuid.UUID(event.id)
    return {
        "location_id": location_id,
        "uid": uid.bytes,
        "message_id": event.id,
        "derived_id": str(uuid.uuid5(uid, f"{event.type}/{event.subtype}")),
        "thread_key": event.thread_key,
        "type": event.type,
        "subtype": event.subtype,
        "matched": matched,
        "origin": origin,
        "body": event.body,
        "now": now,
    }
