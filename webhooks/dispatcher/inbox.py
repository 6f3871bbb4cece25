"""The dispatcher's inbox: reports from the worker pool, wake-ups from RQ."""

import collections
import threading
from typing import Final

from webhooks.dispatcher.task import Report

_SETTLED_AT_A_TIME: Final = (
    64  # reports: where a thousand attempts time out at once, none waits for all of them
)


class Inbox:
    """``report``, ``wake`` and ``interrupt`` are for any thread, the rest for the dispatcher's alone.

    ``unsettled`` are reports that were gathered. They stay until their transaction is through, so that one
    that breaks off is repeated with them.
    """

    def __init__(self) -> None:
        self._reports: collections.deque[Report] = collections.deque()
        self._event = threading.Event()
        self._woken = True  # the first look needs no wake-up
        self.unsettled: list[Report] = []

    def report(self, report: Report) -> None:
        """Tell what came of a task."""
        self._reports.append(report)
        self._event.set()

    def wake(self) -> None:
        """Say that something may be due."""
        self._woken = True
        self._event.set()

    def interrupt(self) -> None:
        """End the present wait, with nothing to tell."""
        self._event.set()

    @property
    def has_reports(self) -> bool:
        return bool(self._reports)

    def wait(self, timeout_s: float) -> None:
        """Wait for any of them, at most ``timeout_s``; not at all where something is here already."""
        if self._reports or self.unsettled or self._woken:
            timeout_s = 0.0
        self._event.wait(timeout_s)
        # Cleared before the round reads anything: what comes from here on sets it again.
        self._event.clear()

    def gather(self) -> list[Report]:
        """Move reports to ``unsettled``, as many as one round settles. Returns those that are new."""
        new: list[Report] = []
        while self._reports and len(self.unsettled) + len(new) < _SETTLED_AT_A_TIME:
            new.append(self._reports.popleft())
        self.unsettled += new
        return new

    def take_wakeup(self) -> bool:
        """Whether there was a wake-up since the last call. Call it before looking, never after."""
        woken, self._woken = self._woken, False
        return woken
