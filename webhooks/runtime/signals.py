"""Stop signals that take effect at once, whatever the main thread is doing."""

import os
import signal
import threading
from collections.abc import Callable
from typing import Final

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


def on_signal(stop: Callable[[], None]) -> None:
    """Call ``stop`` once, in a thread of its own, at SIGTERM or SIGINT. To be called in the main thread.

    Python runs signal handlers in the main thread, between two instructions. RQ waits for Redis there for
    minutes, and a signal that arrives just before is handled only afterwards. The wake-up descriptor gets the
    signal's number at once, also after RQ has set handlers of its own.
    """
    reader, writer = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(writer, False)
    for number in _SIGNALS:
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)

    def listen() -> None:
        while os.read(reader, 1)[0] not in _SIGNALS:
            pass
        stop()

    threading.Thread(target=listen, name="stopper", daemon=True).start()
