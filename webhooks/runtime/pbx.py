"""The pbx process: holds the connections to all phone systems. One such process works a database."""

import contextlib
import dataclasses
import logging
import signal
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from webhooks.db.meta import config_version
from webhooks.db.models import PbxConnection
from webhooks.db.store import Store
from webhooks.errors import Invalid, Unavailable
from webhooks.events.intake import Intake
from webhooks.outbox.wakeup import Waker
from webhooks.runtime import logs
from webhooks.runtime.pbx_connection import Connection, Storing, recover
from webhooks.runtime.pbx_journal import Journal
from webhooks.services.pbx import Condition, Pbx, options_of
from webhooks.services.pbx_process import PbxProcess
from webhooks.services.pbx_systems import SYSTEMS, LiveSystem
from webhooks.services.phone_systems import PhoneSystems
from webhooks.settings import Settings

_LOOK_S: Final = 0.5
_TIMES_S: Final = 2.0
_REPORT_S: Final = 10.0

log = logging.getLogger(__name__)


def run(settings: Settings, name: str) -> int:
    """Hold the connections until SIGTERM or SIGINT. Returns the exit status."""
    logs.set_up(name, settings.log)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    store = Store(settings)
    try:
        with PbxProcess(settings, store).alone(stop) as lock:
            connections = Connections(settings, store)
            try:
                while not stop.is_set():
                    if lock is not None:
                        lock.execute(sa.text("SELECT 1"))
                    connections.follow()
                    stop.wait(_LOOK_S)
            finally:
                connections.stop()
    except sa.exc.DBAPIError as error:
        # The lock went with PostgreSQL's connection: another machine may hold the connections now.
        log.warning("database away; the process starts anew", extra={"reason": error.orig})
        return 1
    return 0


class Connections:
    """Follows the configuration: begins, changes and ends connections; reports how they are."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._store, self._pbx = store, Pbx(settings, store)
        self._intake = Intake(store, Waker(settings))
        self._phone_systems = PhoneSystems(settings, store, self._intake)
        self._folder = settings.data / "pbx"
        self._held: dict[int, Connection] = {}
        self._version: int | None = None
        self._unusable: dict[int, tuple[int, Condition]] = {}
        self._told: dict[int, tuple[int, Condition]] = {}
        self._told_states: dict[int, tuple[int, str, str]] = {}
        self._told_s = 0.0
        self._away = ""

    def follow(self) -> None:
        """Act on what has changed. A database that is away is logged once, and tried again."""
        try:
            self._look()
            self._report()
            self._away = ""
        except Unavailable as error:
            if str(error) != self._away:
                log.warning("duty put off", extra={"reason": error})
            self._away = str(error)

    def stop(self) -> None:
        """End all connections. Their calls go on, in their journals."""
        for connection in self._held.values():
            connection.ask_to_stop()
        for connection in self._held.values():
            connection.stop(for_good=False)
        with contextlib.suppress(Unavailable):
            self._pbx.report(
                {
                    id_: (one.version, dataclasses.replace(one.present(), state="waiting"), one.take_events())
                    for id_, one in self._held.items()
                }
            )

    def _look(self) -> None:
        with self._store.direct_read() as direct:
            version = config_version(direct)
        if version == self._version and not any(one.is_due_anew() for one in self._held.values()):
            return
        wanted = {row.id: row for row in self._pbx.wanted()}
        for id_, connection in list(self._held.items()):
            if id_ not in wanted or wanted[id_].version != connection.version or connection.is_due_anew():
                connection.stop(for_good=id_ not in wanted and not self._pbx.exists(id_))
                del self._held[id_]
        if self._version is None:
            self._end_orphans()
        self._unusable.clear()
        for id_, row in wanted.items():
            if id_ not in self._held:
                self._begin(row)
        self._version = version

    def _begin(self, row: PbxConnection) -> None:
        try:
            connection = Connection(row, self._folder, self._intake, self._phone_systems)
        except Invalid as error:
            self._unusable[row.id] = (row.version, Condition("refused", str(error), datetime.now(UTC)))
            return
        self._held[row.id] = connection
        connection.start()

    def _end_orphans(self) -> None:
        """End the calls of connections that were taken away while this process did not run."""
        for path in sorted(self._folder.glob("*-*-*.jsonl")):
            location_id, connection_id, system = path.stem.split("-")
            if not self._pbx.exists(int(connection_id)):
                self._end_calls(path, int(location_id), int(connection_id), SYSTEMS[system])

    def _end_calls(self, path: Path, location_id: int, connection_id: int, system: LiveSystem) -> None:
        dialect = system.dialect
        journal = Journal(path, dialect.marks)
        translator = dialect.translator(options_of(system, location_id, connection_id))
        events = recover(dialect, translator, journal)
        events += translator.lost(datetime.now(UTC))
        country_of = self._phone_systems.country_of
        if Storing(self._intake, location_id, threading.Event(), country_of).store(events):
            journal.remove()

    def _report(self) -> None:
        """Write how connections are: a change of state at once, times every other second, all in ten."""
        present = self._unusable | {id_: (one.version, one.present()) for id_, one in self._held.items()}
        states = {id_: (version, told.state, told.detail) for id_, (version, told) in present.items()}
        waited_s = time.monotonic() - self._told_s
        at_once = states != self._told_states
        if not present or not (at_once or waited_s >= (_TIMES_S if present != self._told else _REPORT_S)):
            return
        counts = {id_: one.take_events() for id_, one in self._held.items()}
        self._pbx.report({id_: (*told, counts.get(id_, 0)) for id_, told in present.items()})
        self._told, self._told_states, self._told_s = present, states, time.monotonic()
