"""Batches of calls packed into tasks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks.dispatcher.lane import Lane, LaneKind
from webhooks.dispatcher.packing import pack, slots
from webhooks.dispatcher.task import TaskKind
from webhooks.outbox.rows import ClaimedRow


def batches_of(*sizes: int) -> list[list[ClaimedRow]]:
    """Batches of so many rows, each of a call of its own; ids count through."""
    ids = iter(range(1, sum(sizes) + 1))
    return [
        [ClaimedRow(next(ids), f"call {call}", 0, 0, 0, "", "", None) for _ in range(size)]
        for call, size in enumerate(sizes)
    ]


def a_lane(kind: LaneKind) -> Lane:
    lane = Lane(1)
    lane._answers = kind
    return lane


def ids(rows: list[ClaimedRow]) -> list[int]:
    return [row.id for row in rows]


def test_a_fast_thread_takes_all_batches_one_behind_the_other() -> None:
    [task] = pack(a_lane(LaneKind.FAST), batches_of(2, 1, 3), 5.0)
    assert (task.kind, ids(task.rows), task.lease_end_s) == (TaskKind.BULK, [1, 2, 3, 4, 5, 6], 5.0)


def test_two_rows_for_a_fast_thread_are_no_single() -> None:
    [task] = pack(a_lane(LaneKind.FAST), batches_of(1, 1), 5.0)
    assert (task.kind, ids(task.rows)) == (TaskKind.BULK, [1, 2])


def test_one_row_for_a_fast_thread_is_a_single() -> None:
    [task] = pack(a_lane(LaneKind.FAST), batches_of(1), 5.0)
    assert (task.kind, ids(task.rows)) == (TaskKind.SINGLE, [1])


@pytest.mark.parametrize(
    ("lane", "task"), [(LaneKind.SLOW, TaskKind.SLOW), (LaneKind.PROBATION, TaskKind.PROBATION)]
)
def test_the_pool_takes_each_call_apart(lane: LaneKind, task: TaskKind) -> None:
    tasks = pack(a_lane(lane), batches_of(2, 1), 5.0)
    assert [(each.kind, ids(each.rows)) for each in tasks] == [(task, [1, 2]), (task, [3])]


@given(kind=st.sampled_from(LaneKind), sizes=st.lists(st.integers(1, 5), max_size=6))
def test_the_slots_that_were_counted_are_those_that_the_tasks_take(kind: LaneKind, sizes: list[int]) -> None:
    batches = batches_of(*sizes)
    task_kind, count = slots(kind, batches)
    tasks = pack(a_lane(kind), batches, 0.0)
    assert len(tasks) == count and all(task.kind is task_kind for task in tasks)


@given(kind=st.sampled_from(LaneKind), sizes=st.lists(st.integers(1, 5), max_size=6))
def test_no_row_is_lost_or_doubled_and_each_call_is_in_one_task_in_order(
    kind: LaneKind, sizes: list[int]
) -> None:
    tasks = pack(a_lane(kind), batches_of(*sizes), 0.0)
    packed = [row for task in tasks for row in task.rows]
    assert ids(packed) == list(range(1, sum(sizes) + 1))
    calls = [{row.thread_key for row in task.rows} for task in tasks]
    assert sum(map(len, calls)) == len(set().union(*calls))
