"""A worker process: a dispatcher, and RQ's worker that wakes it."""

import logging
import os
import signal
import threading
from typing import Final

from webhooks.db.store import Store
from webhooks.dispatcher.dispatcher import Dispatcher
from webhooks.errors import Unavailable
from webhooks.outbox import wakeup
from webhooks.runtime import logs, open_files, signals
from webhooks.settings import Settings

_STACK_BYTES: Final = 1 << 20  # of address space, for each thread that is started; the usual 8 MiB add up
_OTHER_FILES: Final = 128  # database, locks, Redis, name look-ups

log = logging.getLogger(__name__)


class _Process:
    """The dispatcher and its stop, which must not wait for RQ: the main thread may hang on Redis."""

    def __init__(self, settings: Settings) -> None:
        threads = _threads(settings.worker_threads)
        self.dispatcher = Dispatcher(settings, Store(settings, durable=False), threads, on_fault=self._fault)
        self.stopping = threading.Event()
        self._exit_status = 0

    def _fault(self) -> None:
        self._exit_status = 1
        os.kill(os.getpid(), signal.SIGTERM)

    def stop(self) -> None:
        self.stopping.set()
        try:
            self.dispatcher.stop()
        except Unavailable as error:  # the other workers will find this process dead
            log.warning("database not told of the stop", extra={"reason": error})
        log.info("stopped")
        os._exit(self._exit_status)


def _threads(wanted: int) -> int:
    """How many attempts the limit of open files allows at a time: each has a connection, and may keep it."""
    threading.stack_size(_STACK_BYTES)
    allowed = max(16, (open_files.allow(2 * wanted + _OTHER_FILES) - _OTHER_FILES) // 2)
    if allowed < wanted:
        log.warning(
            "limit of open files allows fewer attempts at a time than SPOKE_WORKER_THREADS",
            extra={"attempts": allowed, "wanted": wanted},
        )
    return min(allowed, wanted)


def run(settings: Settings, name: str) -> int:
    """Deliver until SIGTERM or SIGINT; the schema has to be there. Returns the exit status."""
    logs.set_up(name, settings.log)
    process = _Process(settings)
    try:
        process.dispatcher.start()
    except (Unavailable, OSError) as error:
        log.warning("worker cannot start", extra={"reason": error})
        return 1
    signals.on_signal(process.stop)
    log.info("delivering")
    while not process.stopping.is_set():
        wakeup.work(settings, name, process.dispatcher.wake)
        process.stopping.wait(1)  # without Redis the dispatcher polls
    threading.Event().wait()  # the stopping thread ends the process
    return 0
