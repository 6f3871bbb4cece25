"""The hook's way to the disk: events and their deliveries in one transaction, committed in groups.

Requests hand their events to one writer thread a process and wait. While it commits, others gather; they
share the next commit. Only what is committed is answered with 2xx (invariant I1).
"""

import logging
import queue
import threading
import uuid
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa

from webhooks.db import WRITE_WAIT, Store, config_version, now_ms
from webhooks.delivery.wakeup import Waker
from webhooks.errors import Busy, LocationPaused, SpokeError, Unauthorised
from webhooks.events.body import IncomingEvent
from webhooks.events.matching import Filter

_GROUP: Final = 64  # submissions in one transaction
_COMMIT_WAIT: Final = 60.0  # seconds for a commit that has begun; the outcome is unknown after it
_INTAKE_LOCK: Final = 0x53706F6B65  # PostgreSQL's advisory lock for this transaction

log = logging.getLogger(__name__)

_INSERT_EVENT = sa.text("""
    INSERT INTO event (location_id, uid, message_id, thread_key, type, subtype, accepted_at, matched,
                       origin, body)
    VALUES (:location_id, :uid,
            CASE WHEN EXISTS (SELECT 1 FROM event WHERE location_id = :location_id AND uid = :uid)
                 THEN :derived_id ELSE :message_id END,
            :thread_key, :type, :subtype, :now, :matched, :origin, :body)
    ON CONFLICT (location_id, uid, type, subtype) DO NOTHING RETURNING id
""")
_TWIN = sa.text("""
    SELECT matched FROM event
    WHERE location_id = :location_id AND uid = :uid AND type = :type AND subtype = :subtype
""")
_INSERT_DELIVERY = sa.text("""
    INSERT INTO delivery (event_id, webhook_id, thread_key, type, subtype, state, due_at, claims, tries,
                          attempts, created_at)
    VALUES (:event_id, :webhook_id, :thread_key, :type, :subtype, :state, :now, 0, 0, 0, :now)
""")
_LOCATIONS = sa.text("SELECT id, token_hash, state FROM location WHERE deleted_at IS NULL")
_WEBHOOKS = sa.text("""
    SELECT id, location_id, kind, type, status, state FROM webhook WHERE deleted_at IS NULL ORDER BY id
""")


@dataclass(frozen=True, slots=True)
class Accepted:
    """One event's answer: the id it has now, how many deliveries it got, whether it was known already."""

    id: str
    deliveries: int
    duplicate: bool


@dataclass(frozen=True, slots=True)
class Subscription:
    """A webhook as the intake sees it."""

    webhook_id: int
    filter: Filter
    held: bool


@dataclass
class Directory:
    """Locations and webhooks as of one version of the configuration."""

    version: str
    tokens: dict[bytes, int]
    paused: set[int]
    subscriptions: dict[int, list[Subscription]]

    @classmethod
    def read(cls, connection: sa.Connection, version: str) -> "Directory":
        locations = connection.execute(_LOCATIONS).all()
        subscriptions: dict[int, list[Subscription]] = {row.id: [] for row in locations}
        for row in connection.execute(_WEBHOOKS):
            if row.location_id in subscriptions:
                chosen = Filter(row.kind, row.type, row.status)
                subscriptions[row.location_id].append(Subscription(row.id, chosen, row.state != "active"))
        return cls(
            version,
            {bytes(row.token_hash): row.id for row in locations},
            {row.id for row in locations if row.state == "paused"},
            subscriptions,
        )

    def location(self, token_hash: bytes) -> int:
        """The location of a token.

        Raises:
            Unauthorised: nobody's token. LocationPaused: takes no events now.
        """
        location_id = self.tokens.get(token_hash)
        if location_id is None:
            raise Unauthorised("No location has this token.")
        if location_id in self.paused:
            raise LocationPaused("This location is paused: its events are not taken. Resume it to take them.")
        return location_id


@dataclass
class _Submission:
    location_id: int
    events: list[IncomingEvent]
    origin: str
    only_webhook: int | None = None
    taken: bool = False
    abandoned: bool = False
    answer: list[Accepted] | SpokeError | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    ready: threading.Event = field(default_factory=threading.Event)


class Intake:
    """One for each process that takes events. Its threads start with the first submission, after any fork."""

    def __init__(self, store: Store, waker: Waker) -> None:
        self._store, self._waker = store, waker
        self._queue: queue.SimpleQueue[_Submission] = queue.SimpleQueue()
        self._start_lock = threading.Lock()
        self._started = False
        self._directory: Directory | None = None

    def directory(self) -> Directory:
        """Locations and webhooks as they are now: a look at the version, a reading only after a change."""
        with self._store.read() as session:
            return self._current(session.connection())

    def submit(
        self,
        location_id: int,
        events: list[IncomingEvent],
        origin: str = "pbx",
        only_webhook: int | None = None,
    ) -> list[Accepted]:
        """Store events, all or none, and make their deliveries; returns once it is on disk.

        ``only_webhook`` sends a test event to that webhook and no other.

        Raises:
            Busy: nothing was written. Unauthorised, LocationPaused: the location went meanwhile.
        """
        self._start()
        submission = _Submission(location_id, events, origin, only_webhook)
        self._queue.put(submission)
        if not submission.ready.wait(WRITE_WAIT):
            with submission.lock:
                submission.abandoned = not submission.taken
            if submission.abandoned:
                raise Busy("The database is busy with another write; nothing was written. Try again.")
            if not submission.ready.wait(_COMMIT_WAIT):
                raise Busy("The disk did not confirm in time; the event may come twice if it is sent again.")
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
                with self._store.write(wait=None) as session:
                    # Only now that it is our turn: who waited too long meanwhile has been sent away.
                    group = self._take(group)
                    answers = self._store_group(session.connection(), group)
            except Busy as error:
                log.warning("intake: %s", error)
                answers = [error] * len(group)
            except Exception:
                log.exception("intake: a fault of ours")
                answers = [Busy("The event could not be stored; nothing was written.")] * len(group)
            for submission, answer in zip(group, answers, strict=True):
                submission.answer = answer
                submission.ready.set()
            if any(isinstance(answer, list) for answer in answers):
                self._waker.wake()

    def _take(self, group: list[_Submission]) -> list[_Submission]:
        while len(group) < _GROUP and not self._queue.empty():
            group.append(self._queue.get())
        for submission in group:
            with submission.lock:
                submission.taken = not submission.abandoned
        return [submission for submission in group if submission.taken]

    def _store_group(
        self, connection: sa.Connection, group: list[_Submission]
    ) -> list[list[Accepted] | SpokeError]:
        if not self._store.sqlite:
            # One intake at a time, as SQLite has it: two web processes cannot dead-lock on the same events,
            # and ids are given in the order of the commits.
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _INTAKE_LOCK})
        directory = self._current(connection)
        answers: list[list[Accepted] | SpokeError] = []
        for submission in group:
            # A fault of one submission must not fail its neighbours.
            with connection.begin_nested() as savepoint:
                try:
                    answers.append(self._store_one(connection, directory, submission))
                except (SpokeError, sa.exc.IntegrityError) as error:
                    savepoint.rollback()
                    answers.append(
                        error if isinstance(error, SpokeError) else Busy(f"Try again: {error.orig}")
                    )
        return answers

    def _store_one(
        self, connection: sa.Connection, directory: Directory, submission: _Submission
    ) -> list[Accepted]:
        if submission.location_id not in directory.subscriptions:
            raise Unauthorised("The location was deleted.")
        now = now_ms()
        return [
            self._store_event(connection, directory, submission, event, now) for event in submission.events
        ]

    def _store_event(
        self,
        connection: sa.Connection,
        directory: Directory,
        submission: _Submission,
        event: IncomingEvent,
        now: int,
    ) -> Accepted:
        targets = _targets(directory, submission, event)
        row = _event_row(submission, event, len(targets), now)
        event_id = connection.execute(_INSERT_EVENT, row).scalar()
        if event_id is None:
            return Accepted(event.id, connection.execute(_TWIN, row).scalar_one(), True)
        if targets:
            shared = {"event_id": event_id, "thread_key": event.thread_key, "type": event.type,
                      "subtype": event.subtype, "now": now}  # fmt: skip
            connection.execute(
                _INSERT_DELIVERY,
                [
                    {**shared, "webhook_id": target.webhook_id, "state": "held" if target.held else "pending"}
                    for target in targets
                ],
            )
        return Accepted(event.id, len(targets), False)

    def _current(self, connection: sa.Connection) -> Directory:
        version = config_version(connection)
        directory = self._directory
        if directory is None or directory.version != version:
            directory = self._directory = Directory.read(connection, version)
        return directory


def _targets(directory: Directory, submission: _Submission, event: IncomingEvent) -> list[Subscription]:
    subscriptions = directory.subscriptions[submission.location_id]
    if submission.only_webhook is not None:
        return [one for one in subscriptions if one.webhook_id == submission.only_webhook]
    return [one for one in subscriptions if one.filter.matches(event.type, event.subtype)]


def _event_row(submission: _Submission, event: IncomingEvent, matched: int, now: int) -> dict[str, Any]:
    uid = uuid.UUID(event.id)
    return {
        "location_id": submission.location_id,
        "uid": uid.bytes,
        "message_id": event.id,
        "derived_id": str(uuid.uuid5(uid, f"{event.type}/{event.subtype}")),
        "thread_key": event.thread_key,
        "type": event.type,
        "subtype": event.subtype,
        "matched": matched,
        "origin": submission.origin,
        "body": event.body,
        "now": now,
    }
