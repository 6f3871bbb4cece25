"""One connection to a phone system: its reader, its translator, its journal, its events' way to the disk.

Two threads. The reader only reads (``pbx_reader``). The other one takes what was read: it notes the messages
in the journal, translates them, and stores the events. While the database is away it waits, and the reader
goes on.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from webhooks.db.models import PbxConnection
from webhooks.errors import InvalidEvent, Unauthorised, Unavailable
from webhooks.events.intake import Intake
from webhooks.events.refusals import store_all_but_refused
from webhooks.events.schema import IncomingEvent, make_event
from webhooks.pbx.live import Dialect, Events, Translates
from webhooks.pbx.numbers import with_numbers
from webhooks.runtime.pbx_journal import Journal
from webhooks.runtime.pbx_reader import ByteQueue, Reader
from webhooks.runtime.pbx_stream import Stream, careful
from webhooks.services.pbx import Condition, account_of, options_of
from webhooks.services.pbx_systems import SYSTEMS
from webhooks.services.phone_systems import PhoneSystems

CountryOf = Callable[[int], str]  # of a location; "" where it names none

_BATCH: Final = 500
_WAIT_S: Final = 0.5
_TICK_S: Final = 0.5
_REST_S: Final = 5.0
_LEAVE_S: Final = 2.0
_TRY_AGAIN_S: Final = (0.5, 5.0)

log = logging.getLogger(__name__)


class Storing:
    """The way of a location's events to the disk: in order, nothing lost, nothing twice."""

    def __init__(
        self, intake: Intake, location_id: int, stop: threading.Event, country_of: CountryOf
    ) -> None:
        self._intake, self._location_id, self._stop = intake, location_id, stop
        self._country_of = country_of
        self.stored = 0  # that were new

    def store(self, events: Events) -> bool:
        """Store events, however long the database is away. Returns False where ``stop`` came before."""
        return all(self._store(events[start : start + _BATCH]) for start in range(0, len(events), _BATCH))

    def _store(self, batch: Events) -> bool:
        pause_s = _TRY_AGAIN_S[0]
        while True:
            try:
                made = _made(batch, self._country_of(self._location_id))
                for accepted in store_all_but_refused(self._intake, self._location_id, made):
                    self.stored += sum(not one.duplicate for one in accepted)
                return True
            except Unauthorised:  # the location was deleted, and its connection is about to be
                return True
            except Unavailable as error:
                log.warning("events wait", extra={"reason": error, "events": len(batch)})
            if self._stop.wait(pause_s):
                return False  # the journal makes them again at the next start
            pause_s = min(pause_s * 2, _TRY_AGAIN_S[1])


def _made(batch: Events, country: str) -> list[IncomingEvent]:
    made = []
    for fields in batch:
        try:
            made.append(make_event(with_numbers(fields, country)))
        except InvalidEvent as error:
            log.error("event of a phone system set aside", extra={"reason": error})
    return made


class Connection:
    """A row of ``pbx_connection``, held open from ``start`` to ``stop``."""

    def __init__(self, row: PbxConnection, folder: Path, intake: Intake, phone_systems: PhoneSystems) -> None:
        self.id, self.version = row.id, row.version
        self.condition = Condition("connecting", "", datetime.now(UTC))
        self._stop = threading.Event()
        self._location_id, self._phone_systems = row.location_id, phone_systems
        self._storing = Storing(intake, row.location_id, self._stop, phone_systems.country_of)
        system = SYSTEMS[row.system]
        self._dialect = system.dialect
        options = options_of(system, row.location_id, row.id, row.options)
        self._translator = system.dialect.translator(options)
        self._journal = Journal(journal_path(folder, row), system.dialect.marks)
        self._queue = ByteQueue()
        self._reader = Reader(system, account_of(row), self._queue, self._tell, self._stop)
        self._stream = Stream(system.dialect, self._translator, self._journal, self._complain)
        self._complaint = ""
        self._last_message_at: datetime | None = None
        self._last_event_at: datetime | None = None
        name = f"pbx-{row.id}"
        self._reading = threading.Thread(target=self._reader.run, name=f"{name}-reader", daemon=True)
        self._working = threading.Thread(target=self._guarded, name=name, daemon=True)
        self._failed_s: float | None = None

    def start(self) -> None:
        self._working.start()

    def ask_to_stop(self) -> None:
        """Begin to stop, without waiting."""
        self._stop.set()

    def is_due_anew(self) -> bool:
        """Whether it ended by an internal error, and has rested."""
        return self._failed_s is not None and time.monotonic() - self._failed_s >= _REST_S

    def stop(self, *, for_good: bool) -> None:
        """End the connection; what was read is still stored. ``for_good``: open calls get their end."""
        self._stop.set()
        self._working.join()
        if for_good and self._storing.store(self._translator.lost(datetime.now(UTC))):
            self._journal.remove()
        self._journal.close()

    def take_events(self) -> int:
        """Count the events that were stored since the last call."""
        stored, self._storing.stored = self._storing.stored, 0
        return stored

    def present(self) -> Condition:
        """Return how the connection is."""
        now = self.condition
        detail = now.detail or (self._complaint if now.state == "connected" else "")
        return Condition(now.state, detail, now.since_at, self._last_message_at, self._last_event_at)

    def _tell(self, condition: Condition) -> None:
        if condition.state == self.condition.state and condition.detail == self.condition.detail:
            return
        if condition.state == self.condition.state:  # broken all the same, for another reason
            condition = Condition(condition.state, condition.detail, self.condition.since_at)
        self.condition = condition

    def _complain(self, sentence: str) -> None:
        self._complaint = sentence

    def _guarded(self) -> None:
        try:
            self._work()
        except OSError as error:
            log.error("journal not written", extra={"connection": self.id, "reason": error})
            self._fail(f"The data dir cannot be written ({error.strerror}). Make room; it is tried again.")
        except Exception:
            log.exception("internal error in a connection; it is begun anew", extra={"connection": self.id})
            self._fail("An internal error ended the connection; see the log. It is begun anew.")
        self._stop.set()

    def _fail(self, sentence: str) -> None:
        self._tell(Condition("broken", sentence, datetime.now(UTC)))
        self._failed_s = time.monotonic()

    def _work(self) -> None:
        if not self._storing.store(recover(self._dialect, self._translator, self._journal)):
            return
        self._reading.start()
        ticked_s = 0.0
        while not self._stop.is_set():
            events = self._round()
            if time.monotonic() - ticked_s >= _TICK_S:
                ticked_s = time.monotonic()
                events += self._translator.tick(datetime.now(UTC))
                self._count_unknown()
            self._write(events)
        self._reading.join(_LEAVE_S)  # it may be waiting for a phone system that does not answer
        self._write(self._round())  # what came last

    def _count_unknown(self) -> None:
        """Have the words counted that no table here has. While the database is away, they wait."""
        if self._stream.unknown:
            with contextlib.suppress(Unavailable):
                self._phone_systems.count(self._location_id, self._dialect.name, self._stream.unknown)
                self._stream.unknown.clear()

    def _round(self) -> Events:
        events: Events = []
        for chunk in self._queue.take(_WAIT_S):
            self._last_message_at = chunk.at
            events += self._stream.take(chunk)
        return events

    def _write(self, events: Events) -> None:
        """Write the journal, then store the events: in this order a crash between them loses neither."""
        self._journal.flush(datetime.now(UTC))
        if events and self._storing.store(events):
            self._last_event_at = datetime.now(UTC)


def recover(dialect: Dialect, translator: Translates, journal: Journal) -> Events:
    """Read a journal into a new translator. Returns the events, which may be stored already."""
    events: Events = []
    for at, kind, content in journal.read():
        messages = list(map(dialect.decode, content))
        if kind == "event":
            events += careful(translator.feed, messages[0], at)
        else:
            translator.cut()
            events += careful(translator.resync, messages, at)
    return events


def journal_path(folder: Path, row: PbxConnection) -> Path:
    """Return where a connection's journal is. Its name says whose and what it is, should the row be gone."""
    return folder / f"{row.location_id}-{row.id}-{row.system}.jsonl"
