"""Capacity of the worker pool: free slots, by the kind of task that takes them. Pure."""

from dataclasses import dataclass

from webhooks.dispatcher.lane import BULK_ROWS, Lane, LaneKind
from webhooks.dispatcher.task import TaskKind


@dataclass(slots=True)
class Capacity:
    """A slot holds one task. Those for probation are a share of those for slow tasks, not beside them.

    ``kept_for_new``: slots for probation that lanes whose last attempt broke may not have.
    ``kept_for_answered``: those that lanes may not have whose receivers never answered.
    """

    single: int
    bulk: int
    slow: int
    probation: int
    kept_for_new: int = 0
    kept_for_answered: int = 0

    def rows_for(self, lane: Lane) -> int:
        """How many rows may be claimed of a lane of its kind; 0: it has to wait."""
        if lane.kind is LaneKind.PROBATION:
            return min(self.slow, self.probation - self._kept_from(lane))
        if lane.kind is LaneKind.SLOW:
            return self.slow
        if lane.backlogged:
            return BULK_ROWS if self.bulk > 0 else 0
        # Whether one row is due or many shows only in the claim: without a free bulk slot, one is taken.
        if self.single > 0:
            return BULK_ROWS if self.bulk > 0 else 1
        return 0

    def _kept_from(self, lane: Lane) -> int:
        """Slots for probation that a lane may not have: beside many that hang, others have a place."""
        if lane.has_failed:
            return self.kept_for_new
        return 0 if lane.has_answered else self.kept_for_answered

    def reserve(self, kind: TaskKind, tasks: int = 1) -> None:
        """Take slots."""
        if kind is TaskKind.SINGLE:
            self.single -= tasks
        elif kind is TaskKind.BULK:
            self.bulk -= tasks
        else:
            self.slow -= tasks
            if kind is TaskKind.PROBATION:
                self.probation -= tasks

    def release(self, kind: TaskKind, tasks: int = 1) -> None:
        """Give slots back."""
        self.reserve(kind, -tasks)
