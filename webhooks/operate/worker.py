"""A worker process: the delivery engine, and RQ's worker that wakes it."""

import logging
import os
import signal
import sys
import time

from webhooks.db import Store
from webhooks.delivery import wakeup
from webhooks.delivery.engine import Engine
from webhooks.errors import SpokeError
from webhooks.operate import logs
from webhooks.operate.prepare import prepare
from webhooks.settings import load_settings

log = logging.getLogger(__name__)
_stop_wanted = False


def _stop(_signal: int, _frame: object) -> None:
    global _stop_wanted
    _stop_wanted = True


def main() -> int:
    """Deliver until SIGTERM or SIGINT. The answer is the exit status."""
    settings = load_settings()
    logs.set_up(os.environ.get("SPOKE_PROCESS", "worker"), settings.log)
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    store = Store(settings, durable=False)
    try:
        prepare(settings, store)
    except SpokeError as error:
        log.error("%s", error)
        return 1
    engine = Engine(settings, store, on_fault=lambda: os.kill(os.getpid(), signal.SIGTERM))
    engine.start()
    log.info("delivering")
    while not _stop_wanted and engine.running:
        if wakeup.work(settings, engine.kick):
            break
        # Without Redis the engine polls; RQ has left its own handlers behind.
        signal.signal(signal.SIGTERM, _stop)
        signal.signal(signal.SIGINT, _stop)
        time.sleep(1)
    faulty = not engine.running
    engine.stop()
    log.info("stopped")
    return 1 if faulty else 0


if __name__ == "__main__":
    sys.exit(main())
