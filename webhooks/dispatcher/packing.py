"""Claimed rows packed into tasks: what a fast thread takes at a time, what a thread of the pool takes."""

from collections.abc import Sequence
from typing import Final

from webhooks.dispatcher.lane import Lane, LaneKind
from webhooks.dispatcher.task import Task, TaskKind
from webhooks.outbox.rows import ClaimedRow

_OF_THE_POOL: Final = {LaneKind.SLOW: TaskKind.SLOW, LaneKind.PROBATION: TaskKind.PROBATION}


def expected_kind(lane: Lane) -> TaskKind:
    """The kind of task to reserve a slot for, before it is known how many rows are due."""
    if lane.kind is LaneKind.FAST:
        return TaskKind.BULK if lane.backlogged else TaskKind.SINGLE
    return _OF_THE_POOL[lane.kind]


def slots(kind: LaneKind, batches: Sequence[Sequence[object]]) -> tuple[TaskKind, int]:
    """Kind and number of the tasks that these batches of calls make."""
    if kind is not LaneKind.FAST:
        return _OF_THE_POOL[kind], len(batches)
    rows = sum(map(len, batches))
    return TaskKind.SINGLE if rows == 1 else TaskKind.BULK, min(rows, 1)


def pack(lane: Lane, batches: list[list[ClaimedRow]], lease_end_s: float) -> list[Task]:
    """Tasks for what was claimed of a lane: one for a fast thread, or one a batch for the pool."""
    kind, count = slots(lane.kind, batches)
    if not count:
        return []
    if kind.is_fast:
        batches = [[row for batch in batches for row in batch]]
    return [Task(lane, batch, lease_end_s, kind) for batch in batches]
