"""A worker process: the delivery engine, and RQ's worker that wakes it."""

import logging
import os
import signal
import threading

from webhooks.db.store import Store
from webhooks.dispatcher.dispatcher import Dispatcher
from webhooks.errors import Busy
from webhooks.outbox import wakeup
from webhooks.runtime import logs, signals
from webhooks.settings import Settings

log = logging.getLogger(__name__)


class _Process:
    """The engine and its end, which RQ, in the main thread, does not wait for: it may hang on Redis."""

    def __init__(self, settings: Settings) -> None:
        self.engine = Dispatcher(settings, Store(settings, durable=False), on_fault=self._fault)
        self.stopping = threading.Event()
        self._status = 0

    def _fault(self) -> None:
        self._status = 1
        os.kill(os.getpid(), signal.SIGTERM)

    def stop(self) -> None:
        self.stopping.set()
        try:
            self.engine.stop()
        except Busy as error:  # the others will find us dead
            log.warning("database not told of the stop", extra={"reason": error})
        log.info("stopped")
        os._exit(self._status)


def run(settings: Settings, name: str) -> int:
    """Deliver until SIGTERM or SIGINT; the schema has to be there. The answer is the exit status."""
    logs.set_up(name, settings.log)
    process = _Process(settings)
    try:
        process.engine.start()
    except (Busy, OSError) as error:
        log.warning("worker cannot start", extra={"reason": error})
        return 1
    signals.on_signal(process.stop)
    log.info("delivering")
    while not process.stopping.is_set():
        wakeup.work(settings, name, process.engine.kick)
        process.stopping.wait(1)  # without Redis the engine polls
    threading.Event().wait()  # for the other thread, which ends the process
    return 0
