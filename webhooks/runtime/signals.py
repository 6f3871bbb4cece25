"""A signal that asks a process to stop is heard at once, whatever the process is doing."""

import os
import signal
import threading
from collections.abc import Callable
from typing import Final

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


def on_signal(stop: Callable[[], None]) -> None:
    """Call ``stop`` once, in a thread of its own, when SIGTERM or SIGINT has come. For the main thread.

    Python runs its handlers in the main thread, between two steps. RQ waits for Redis there for minutes, and
    a signal that comes when it is about to begin with that is heard only afterwards. What is written to the
    wake-up descriptor is there at once, also where somebody (RQ) sets handlers of its own.
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
