"""Lanes that wait for their turn, because they may have something to claim. Pure.

A round costs what it takes, not what waits: with a thousand lanes, all of them at each round would be most of
the dispatcher's work.
"""

import collections
import enum
from typing import Final

from webhooks.dispatcher.capacity import Capacity
from webhooks.dispatcher.lane import Lane, LaneKind
from webhooks.dispatcher.packing import expected_kind


class _Turn(enum.Enum):
    """A queue of lanes that need the same kind of slot, so that one without a slot speaks for all behind it.

    In the order of service: proven lanes come first, then those that were so in another process, then those
    without a failure.
    """

    BACKLOGGED = enum.auto()
    FAST = enum.auto()
    SLOW = enum.auto()
    ANSWERED = enum.auto()
    NEW = enum.auto()
    FAILED = enum.auto()

    @classmethod
    def of(cls, lane: Lane) -> "_Turn":
        kind = lane.kind
        if kind is LaneKind.FAST:
            return cls.BACKLOGGED if lane.backlogged else cls.FAST
        if kind is LaneKind.SLOW:
            return cls.SLOW
        if lane.has_failed:
            return cls.FAILED
        return cls.ANSWERED if lane.has_answered else cls.NEW


_UNPROVEN: Final = (_Turn.NEW, _Turn.FAILED)


class Waiting:
    """Queues by turn; whoever was served goes to the end of its queue when it waits again."""

    def __init__(self) -> None:
        self._queues: dict[_Turn, collections.OrderedDict[int, Lane]] = {
            turn: collections.OrderedDict() for turn in _Turn
        }
        self._turns: dict[int, _Turn] = {}  # which queue a webhook's lane is in

    def __contains__(self, lane: Lane) -> bool:
        return lane.webhook_id in self._turns

    def __iter__(self) -> collections.abc.Iterator[Lane]:
        for queue in self._queues.values():
            yield from queue.values()

    def add(self, lane: Lane) -> None:
        """Let a lane wait. One that waits already keeps its place."""
        if lane.webhook_id not in self._turns:
            turn = self._turns[lane.webhook_id] = _Turn.of(lane)
            self._queues[turn][lane.webhook_id] = lane

    def discard(self, lane: Lane) -> None:
        turn = self._turns.pop(lane.webhook_id, None)
        if turn is not None:
            del self._queues[turn][lane.webhook_id]

    def clear(self) -> None:
        self._turns.clear()
        for queue in self._queues.values():
            queue.clear()

    def take(self, capacity: Capacity, unproven: int) -> list[Lane]:
        """Take the lanes that have a slot; it is taken from ``capacity``.

        At most ``unproven`` of those whose receivers never answered, or broke. A lane that can take nothing
        until its report is here waits no more: the report brings it back.
        """
        taken: list[Lane] = []
        for turn in _Turn:
            while (lane := self._front(turn)) and capacity.rows_for(lane) > 0:
                if turn in _UNPROVEN:
                    if not unproven:
                        break  # its turn comes within milliseconds
                    unproven -= 1
                self.discard(lane)
                capacity.reserve(expected_kind(lane))
                taken.append(lane)
        return taken

    def crowded_out(self, capacity: Capacity) -> bool:
        """Whether a lane waits that has no slot here, and that another process could serve."""
        return any(
            lane.idle
            for turn in _Turn
            if (front := self._front(turn)) and capacity.rows_for(front) <= 0
            for lane in self._queues[turn].values()
        )

    def _front(self, turn: _Turn) -> Lane | None:
        """The first lane of a queue. On the way to it, lanes that have changed find their places."""
        queue = self._queues[turn]
        while queue:
            lane = next(iter(queue.values()))
            if not lane.busy and _Turn.of(lane) is turn:
                return lane
            self.discard(lane)
            if not lane.busy:
                self.add(lane)
        return None
