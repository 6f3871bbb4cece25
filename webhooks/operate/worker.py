"""A worker process: the delivery engine, and RQ's worker that wakes it."""

import logging
import os
import signal
import time

from webhooks.db import Store
from webhooks.delivery import wakeup
from webhooks.delivery.engine import Engine
from webhooks.errors import Busy
from webhooks.operate import logs
from webhooks.settings import Settings

log = logging.getLogger(__name__)
_stop_wanted = False


def _stop(_signal: int, _frame: object) -> None:
    global _stop_wanted
    _stop_wanted = True


def run(settings: Settings, name: str) -> int:
    """Deliver until SIGTERM or SIGINT; the schema has to be there. The answer is the exit status."""
    logs.set_up(name, settings.log)
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    engine = Engine(
        settings, Store(settings, durable=False), on_fault=lambda: os.kill(os.getpid(), signal.SIGTERM)
    )
    try:
        engine.start()
    except Busy as error:
        log.warning("%s", error)
        return 1
    log.info("delivering")
    while not _stop_wanted and engine.running:
        if wakeup.work(settings, name, engine.kick):
            break
        # Without Redis the engine polls; RQ has left its own handlers behind.
        signal.signal(signal.SIGTERM, _stop)
        signal.signal(signal.SIGINT, _stop)
        time.sleep(1)
    faulty = not engine.running
    try:
        engine.stop()
    except Busy as error:  # the others will find us dead
        log.warning("stop: %s", error)
    log.info("stopped")
    return 1 if faulty else 0
