"""A worker process: a dispatcher, and RQ's worker that wakes it."""

import logging
import os
import signal
import threading

from webhooks.db.store import Store
from webhooks.dispatcher.dispatcher import Dispatcher
from webhooks.errors import Unavailable
from webhooks.outbox import wakeup
from webhooks.runtime import logs, signals
from webhooks.settings import Settings

log = logging.getLogger(__name__)


class _Process:
    """The dispatcher and its stop, which must not wait for RQ: the main thread may hang on Redis."""

    def __init__(self, settings: Settings) -> None:
        self.dispatcher = Dispatcher(settings, Store(settings, durable=False), on_fault=self._fault)
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
