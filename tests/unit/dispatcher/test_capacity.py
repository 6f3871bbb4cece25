"""Slots of the worker pool, given out to lanes of each kind."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks.dispatcher.capacity import Capacity
from webhooks.dispatcher.claimer import Claimer
from webhooks.dispatcher.lane import BULK_ROWS, Lane, LaneKind
from webhooks.dispatcher.pace import UNPROVEN_A_ROUND
from webhooks.dispatcher.packing import expected_kind
from webhooks.dispatcher.task import Task, TaskKind
from webhooks.dispatcher.timers import Timers
from webhooks.dispatcher.waiting import Waiting
from webhooks.dispatcher.worker_pool import FAST_BULKS

THREADS = 128


def a_lane(kind: LaneKind, *, backlogged: bool = False, webhook_id: int = 1) -> Lane:
    lane = Lane(webhook_id)
    lane._answers, lane.backlogged = kind, backlogged
    return lane


def claimer() -> Claimer:
    return Claimer("owner", None, Waiting(), Timers(), THREADS)  # type: ignore[arg-type]


def turns(claims: Claimer, lanes: Iterable[Lane] = ()) -> list[Lane]:
    """The lanes that take their turns once these wait too."""
    for lane in lanes:
        claims._waiting.add(lane)
    return claims.take_turns()


@pytest.mark.parametrize(
    ("capacity", "kind", "backlogged", "rows"),
    [
        (Capacity(1, 1, 0, 0), LaneKind.FAST, True, BULK_ROWS),
        (Capacity(1, 0, 9, 9), LaneKind.FAST, True, 0),
        (Capacity(1, 1, 0, 0), LaneKind.FAST, False, BULK_ROWS),
        (Capacity(1, 0, 0, 0), LaneKind.FAST, False, 1),
        (Capacity(0, 1, 9, 9), LaneKind.FAST, False, 0),
        (Capacity(0, 0, 7, 0), LaneKind.SLOW, True, 7),
        (Capacity(9, 9, 0, 0), LaneKind.SLOW, False, 0),
        (Capacity(0, 0, 7, 3), LaneKind.PROBATION, False, 3),
        (Capacity(0, 0, 2, 3), LaneKind.PROBATION, True, 2),
    ],
)
def test_a_lane_gets_the_slots_of_its_kind(
    capacity: Capacity, kind: LaneKind, backlogged: bool, rows: int
) -> None:
    assert capacity.rows_for(a_lane(kind, backlogged=backlogged)) == rows


def test_of_the_slots_for_probation_some_are_kept_for_those_who_answered_or_are_new() -> None:
    capacity = Capacity(0, 0, 99, 12, kept_for_new=8, kept_for_answered=2)
    new, broke, answered = (a_lane(LaneKind.PROBATION, webhook_id=number) for number in range(3))
    broke.health.broken, broke.has_answered, answered.has_answered = 1, True, True
    assert [capacity.rows_for(lane) for lane in (broke, new, answered)] == [4, 10, 12]


def test_probation_takes_from_the_pool_and_from_its_share() -> None:
    capacity = Capacity(1, 1, 10, 5)
    capacity.reserve(TaskKind.PROBATION, 2)
    assert capacity == Capacity(1, 1, 8, 3)
    capacity.reserve(TaskKind.SLOW)
    assert capacity == Capacity(1, 1, 7, 3)


@given(st.lists(st.tuples(st.sampled_from(TaskKind), st.integers(0, 20))))
def test_what_is_released_is_what_was_reserved(tasks: list[tuple[TaskKind, int]]) -> None:
    capacity = Capacity(100, 4, 128, 64)
    for kind, count in tasks:
        capacity.reserve(kind, count)
    for kind, count in tasks:
        capacity.release(kind, count)
    assert capacity == Capacity(100, 4, 128, 64)


def begin(claims: Claimer, lanes: list[Lane]) -> None:
    for lane in lanes:
        claims.begin(Task(lane, [], 0.0, expected_kind(lane)))


def test_a_round_takes_proven_lanes_first_then_new_ones_and_few_of_those() -> None:
    new = [a_lane(LaneKind.PROBATION, webhook_id=number) for number in range(1000)]
    broken = [a_lane(LaneKind.PROBATION, webhook_id=number) for number in range(1000, 1003)]
    for lane in broken:
        lane.health.broken = 1
    slow = [a_lane(LaneKind.SLOW, webhook_id=number) for number in range(1003, 1006)]
    claims = claimer()
    assert turns(claims, [*broken, *new, *slow]) == [*slow, *new[:UNPROVEN_A_ROUND]]
    assert claims.has_room(new[-1]), "their turn comes, here"


def test_receivers_that_hang_leave_half_of_the_pool_to_the_others() -> None:
    new = [a_lane(LaneKind.PROBATION, webhook_id=number) for number in range(1000)]
    slow = [a_lane(LaneKind.SLOW, webhook_id=number) for number in range(1000, 1003)]
    claims = claimer()
    for _ in range(THREADS // 2 // UNPROVEN_A_ROUND):
        begin(claims, turns(claims, new))
    assert sum(lane.busy for lane in new) == THREADS // 2 - THREADS // 16
    answered = a_lane(LaneKind.PROBATION, webhook_id=1003)
    answered.has_answered = True
    assert turns(claims, [*slow, answered]) == [*slow, answered]
    assert claims.crowded_out and not claims.has_room(new[-1])


def test_receivers_that_hung_leave_a_quarter_of_the_pool_to_new_ones() -> None:
    broken = [a_lane(LaneKind.PROBATION, webhook_id=number) for number in range(1000)]
    for lane in broken:
        lane.health.broken = 1
    new = a_lane(LaneKind.PROBATION, webhook_id=1000)
    claims = claimer()
    for _ in range(4):
        begin(claims, turns(claims, broken))
    assert sum(lane.busy for lane in broken) == THREADS // 4
    assert turns(claims, [new]) == [new]


def test_a_lane_with_something_in_flight_is_not_left_to_another_worker() -> None:
    claims = claimer()
    lanes = [a_lane(LaneKind.FAST, backlogged=True, webhook_id=number) for number in range(FAST_BULKS + 2)]
    lanes[-1].in_flight = 1
    assert turns(claims, lanes) == lanes[:FAST_BULKS]
    assert claims.crowded_out
    lanes[-2].in_flight = 1
    assert not claims.crowded_out


@pytest.mark.parametrize("kind", TaskKind)
def test_a_task_counts_from_its_begin_to_its_end(kind: TaskKind) -> None:
    claims, lane = claimer(), a_lane(LaneKind.SLOW)
    task = Task(lane, [], 0.0, kind)
    claims.begin(task)
    assert lane.in_flight == 1 and not claims.idle and claims.fast_threads_busy is kind.is_fast
    claims.end(task)
    assert lane.idle and claims.idle and not claims.fast_threads_busy
    assert claims._capacity == claimer()._capacity


@pytest.mark.parametrize(
    ("kind", "backlogged", "expected"),
    [
        (LaneKind.FAST, False, TaskKind.SINGLE),
        (LaneKind.FAST, True, TaskKind.BULK),
        (LaneKind.SLOW, True, TaskKind.SLOW),
        (LaneKind.PROBATION, True, TaskKind.PROBATION),
    ],
)
def test_a_slot_is_reserved_before_the_rows_are_known(
    kind: LaneKind, backlogged: bool, expected: TaskKind
) -> None:
    assert expected_kind(a_lane(kind, backlogged=backlogged)) is expected
