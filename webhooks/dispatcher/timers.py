"""When lanes have something to send next, as far as this process knows. Pure: it has no clock."""

import heapq
from typing import Final

HORIZON_MS: Final = 2_000  # what is further away is noted by one of the polls until then


class Timers:
    """Times in ms since 1970, at which webhooks have something due.

    One that is no longer right does no harm: whoever would acquire the lane finds nothing due.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[int, int]] = []
        self._known: set[tuple[int, int]] = set()

    def set(self, webhook_id: int, due_ms: int, now_ms: int) -> None:
        """Note that a webhook has something due at ``due_ms``."""
        timer = (due_ms, webhook_id)
        if due_ms <= now_ms + HORIZON_MS and timer not in self._known:
            self._known.add(timer)
            heapq.heappush(self._heap, timer)

    def wait_s(self, now_ms: int) -> float:
        """How long none is due; infinity: there is none."""
        return max(0, self._heap[0][0] - now_ms) / 1000 if self._heap else float("inf")

    def pop_due(self, now_ms: int) -> list[int]:
        """Take out the webhooks whose time has come."""
        due: list[int] = []
        while self._heap and self._heap[0][0] <= now_ms:
            timer = heapq.heappop(self._heap)
            self._known.remove(timer)
            due.append(timer[1])
        return due
