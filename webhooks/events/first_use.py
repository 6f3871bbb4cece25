"""Threads that start at their first use: a process that forks later must not have them yet."""

import os
import threading
from collections.abc import Callable


class FirstUse:
    """Calls ``start`` once in each process, at the first call."""

    def __init__(self, start: Callable[[], object]) -> None:
        self._start = start
        self._lock = threading.Lock()
        self._started_in = 0  # a process id: a child of a fork has none of its parent's threads

    def __call__(self) -> None:
        """Make sure that ``start`` was called. Calls of other threads wait until it has returned."""
        if self._started_in == os.getpid():
            return
        with self._lock:
            if self._started_in != os.getpid():
                self._start()
                self._started_in = os.getpid()
