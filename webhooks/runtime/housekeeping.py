"""The housekeeping process: checkpoints, purge, recordings, replays, erasures, a clock that was set back."""

import logging
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from webhooks.db.store import Store, busy_if_away
from webhooks.errors import Busy
from webhooks.events import indexer
from webhooks.outbox import clock_skew, replay
from webhooks.outbox.wakeup import Waker
from webhooks.retention import media_cleanup
from webhooks.retention.purge import purge
from webhooks.runtime import logs
from webhooks.services.erasures import Erasures
from webhooks.settings import Settings

_CHECKPOINT_SECONDS: Final = 1.0
_CHECKPOINT_BYTES: Final = 4 << 20
_CHECKPOINT_PAGES: Final = _CHECKPOINT_BYTES // 4096
_REST_PAGES: Final = 100
_PASSES: Final = 5
_PURGE_SECONDS: Final = 60.0
_PAUSE_SECONDS: Final = 0.02
_TURN_SECONDS: Final = 1.0
_TOLD_SECONDS: Final = 60.0  # a fault is told at most so often
_FAILED_SECONDS: Final = 5.0

log = logging.getLogger(__name__)
_told_at: dict[type[Exception], float] = {}


def run(settings: Settings, name: str) -> int:
    """Run until SIGTERM or SIGINT. The answer is the exit status."""
    logs.set_up(name, settings.log)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    store = Store(settings, durable=False)
    purged_at = 0.0
    waker = Waker(settings)
    erasures = Erasures(settings, store)
    often: list[Callable[[], object]] = [
        lambda: checkpoint(settings, store),
        lambda: clock_skew.look(store),
        lambda: run_replays(store, waker, stop),
        lambda: run_erasures(erasures, stop),
        lambda: follow(store, stop),
    ]
    seldom: list[Callable[[], object]] = [
        lambda: purge(settings, store, stop),
        lambda: media_cleanup.look_after(settings, store, stop),
        lambda: indexer.forget(store, settings.retention_days),
    ]
    once: list[Callable[[], object]] = [lambda: clock_skew.pull(store)]  # a look that a crash cut short
    while not stop.wait(_CHECKPOINT_SECONDS):
        due = [*once, *often]
        if time.monotonic() - purged_at >= _PURGE_SECONDS:
            purged_at = time.monotonic()
            due += seldom
        failed = do_all(due, stop)
        once = [duty for duty in once if duty in failed]
        if failed:
            stop.wait(_FAILED_SECONDS)
    return 0


def do_all(duties: Sequence[Callable[[], object]], stop: threading.Event) -> list[Callable[[], object]]:
    """Do each, whatever becomes of the others: one that cannot be done now must not keep the rest from it.
    The answer are those that failed; of a full disk or a database that is away a line is told, once a round.
    """
    failed: list[Callable[[], object]] = []
    said: set[str] = set()
    for duty in duties:
        if stop.is_set():
            break
        try:
            duty()
        except (Busy, OSError) as error:
            failed.append(duty)
            said.add(str(error))
        except Exception as error:
            failed.append(duty)
            now = time.monotonic()
            if now - _told_at.get(type(error), -_TOLD_SECONDS) >= _TOLD_SECONDS:
                _told_at[type(error)] = now
                log.exception("internal error in a duty; the others go on")
    for sentence in sorted(said):
        log.warning("duty put off", extra={"reason": sentence})
    return failed


def run_replays(store: Store, waker: Waker, stop: threading.Event) -> None:
    """Go on with what somebody began, a batch of each in turn, with pauses that let deliveries through."""
    with store.read() as session:
        open_ = replay.running(session.connection())
    while open_ and not stop.wait(_PAUSE_SECONDS):
        for number in list(open_):
            with store.write(wait=None) as session:
                if not replay.step(session.connection(), number):
                    open_.remove(number)
                    log.info("replay finished", extra={"replay": number})
        waker.wake_now()


def run_erasures(erasures: Erasures, stop: threading.Event) -> None:
    """Go on with what somebody began, for a second at most: the log wants its checkpoints meanwhile."""
    until = time.monotonic() + _TURN_SECONDS
    for number in erasures.running():
        while erasures.step(number).state == "running" and time.monotonic() < until:
            if stop.wait(_PAUSE_SECONDS):
                return


def follow(store: Store, stop: threading.Event) -> None:
    """Look through the events that came, for a second at most."""
    until = time.monotonic() + _TURN_SECONDS
    while indexer.behind(store) and time.monotonic() < until:
        if indexer.step(store) < indexer.BATCH and not indexer.renumber(store):
            return
        if stop.wait(_PAUSE_SECONDS):
            return


def checkpoint(settings: Settings, store: Store) -> None:
    """Move the write-ahead log into the database, most of it without the writers' lock.

    Passive alone never lets the log start anew while somebody writes: it grew to 852 MB in 10 s. So the
    rest, which has to be little by then, is moved and the log restarted under the lock, for milliseconds.
    The file keeps its length: to sync a commit takes longer where it makes the file longer.
    """
    wal = settings.sqlite_file.with_name(f"{settings.sqlite_file.name}-wal")
    if not store.sqlite or not wal.exists() or wal.stat().st_size < _CHECKPOINT_BYTES:
        return
    with busy_if_away("be tidied"):
        raw = store.engine.raw_connection()
    try:
        cursor = raw.cursor()
        for _ in range(_PASSES):
            cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")
            ((_, pages, moved),) = cursor.fetchall()
            if pages - moved < _REST_PAGES:
                break
        if pages >= _CHECKPOINT_PAGES:
            with store.checkpoint_turn():
                cursor.execute("PRAGMA busy_timeout = 10")
                try:
                    cursor.execute("PRAGMA wal_checkpoint(RESTART)")
                    cursor.fetchall()
                finally:
                    cursor.execute("PRAGMA busy_timeout = 5000")
        cursor.close()
    except sqlite3.OperationalError as error:  # the disk is full, or does not answer
        raw.invalidate()
        raise Busy(f"The log cannot be moved into the database now ({error}).") from error
    finally:
        raw.close()
