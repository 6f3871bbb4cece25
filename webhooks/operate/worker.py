"""A worker process: the delivery engine, and RQ's worker that wakes it."""

import logging
import os
import signal
import threading

from webhooks.db import Store
from webhooks.delivery import wakeup
from webhooks.delivery.engine import Engine
from webhooks.errors import Busy
from webhooks.operate import logs
from webhooks.settings import Settings

log = logging.getLogger(__name__)


class _Process:
    """The engine is stopped by a thread of its own: RQ, in the main thread, may hang on Redis for minutes."""

    def __init__(self, settings: Settings) -> None:
        self.engine = Engine(settings, Store(settings, durable=False), on_fault=self._fault)
        self.stopping = threading.Event()
        self._status = 0
        self._stopper = threading.Thread(target=self._stop, name="stopper")

    def ask_to_stop(self, *_: object) -> None:
        """Also a signal handler."""
        if not self.stopping.is_set():
            self.stopping.set()
            self._stopper.start()

    def join(self) -> int:
        self._stopper.join()
        return self._status

    def _fault(self) -> None:
        self._status = 1
        os.kill(os.getpid(), signal.SIGTERM)

    def _stop(self) -> None:
        try:
            self.engine.stop()
        except Busy as error:  # the others will find us dead
            log.warning("stop: %s", error)
        log.info("stopped")
        os._exit(self._status)


def run(settings: Settings, name: str) -> int:
    """Deliver until SIGTERM or SIGINT; the schema has to be there. The answer is the exit status."""
    logs.set_up(name, settings.log)
    process = _Process(settings)
    try:
        process.engine.start()
    except Busy as error:
        log.warning("%s", error)
        return 1
    log.info("delivering")
    while not process.stopping.is_set():
        for number in (signal.SIGTERM, signal.SIGINT):  # RQ leaves its own behind
            signal.signal(number, process.ask_to_stop)
        wakeup.work(settings, name, process.engine.kick, process.ask_to_stop)
        process.stopping.wait(1)  # without Redis the engine polls
    return process.join()
