"""Lanes that wait for their turn: who is taken, in which order, and who stays."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from webhooks.dispatcher.capacity import Capacity
from webhooks.dispatcher.lane import Lane, LaneKind
from webhooks.dispatcher.waiting import Waiting

MANY = 1000


def a_lane(
    webhook_id: int, kind: LaneKind = LaneKind.FAST, *, failed: bool = False, answered: bool = False
) -> Lane:
    lane = Lane(webhook_id)
    lane._answers, lane.health.broken, lane.has_answered = kind, int(failed), answered
    return lane


def waiting(lanes: Sequence[Lane]) -> Waiting:
    waits = Waiting()
    for lane in lanes:
        waits.add(lane)
    return waits


def slots(single: int = 0, bulk: int = 0, slow: int = 0, probation: int = 0, kept: int = 0) -> Capacity:
    return Capacity(single, bulk, slow, probation, kept)


def test_each_lane_has_its_turn_before_one_has_a_second() -> None:
    lanes = [a_lane(number) for number in range(5)]
    waits = waiting(lanes)
    found: list[Lane] = []
    for _ in range(5):
        taken = waits.take(slots(single=2), MANY)
        found += taken
        for lane in taken:
            waits.add(lane)
    assert found == lanes * 2


def test_one_that_waits_already_keeps_its_place_and_is_taken_once() -> None:
    lanes = [a_lane(1), a_lane(2)]
    waits = waiting([*lanes, *lanes])
    assert waits.take(slots(single=9), MANY) == lanes and not list(waits)


def test_those_without_a_slot_stay_and_hold_up_no_other_kind() -> None:
    fast, slow, new = a_lane(1), a_lane(2, LaneKind.SLOW), a_lane(3, LaneKind.PROBATION)
    waits = waiting([fast, slow, new])
    assert waits.take(slots(slow=2, probation=2), MANY) == [slow, new]
    assert list(waits) == [fast] and fast in waits and slow not in waits


def test_who_has_answered_another_process_comes_before_all_that_never_did() -> None:
    new = [a_lane(number, LaneKind.PROBATION) for number in range(100)]
    answered = a_lane(100, LaneKind.PROBATION, answered=True)
    broke = a_lane(101, LaneKind.PROBATION, answered=True, failed=True)
    waits = waiting([broke, *new, answered])
    assert waits.take(slots(slow=64, probation=64), 0) == [answered], "also while no new ones begin"
    assert waits.take(slots(slow=64, probation=64), 2) == new[:2]


def test_a_lane_that_changed_meanwhile_waits_as_what_it_is_now() -> None:
    lane, fast = a_lane(1, LaneKind.PROBATION), a_lane(2)
    waits = waiting([lane, fast])
    lane._answers, fast.backlogged = LaneKind.FAST, True
    assert waits.take(slots(single=9), MANY) == []
    assert waits.take(slots(single=9), MANY) == [lane]
    assert waits.take(slots(bulk=1), MANY) == [fast]


def test_a_busy_lane_waits_no_more() -> None:
    lane = a_lane(1, LaneKind.PROBATION)
    waits = waiting([lane])
    lane.in_flight = 1
    assert waits.take(slots(slow=9, probation=9), MANY) == [] and lane not in waits


def test_discarded_and_cleared_lanes_are_not_taken() -> None:
    lanes = [a_lane(number) for number in range(3)]
    waits = waiting(lanes)
    waits.discard(lanes[1])
    waits.discard(lanes[1])
    assert waits.take(slots(single=9), MANY) == [lanes[0], lanes[2]]
    waits.add(lanes[1])
    waits.clear()
    assert waits.take(slots(single=9), MANY) == [] and lanes[1] not in waits


LANES = st.lists(st.tuples(st.sampled_from(LaneKind), st.booleans(), st.booleans()), max_size=40)


@given(LANES, st.tuples(*[st.integers(0, 9)] * 4), st.integers(0, 9))
def test_no_slot_is_left_that_a_waiting_lane_could_have(
    given_lanes: list[tuple[LaneKind, bool, bool]], free: tuple[int, int, int, int], unproven: int
) -> None:
    lanes = [a_lane(number, kind, failed=failed) for number, (kind, failed, _) in enumerate(given_lanes)]
    for lane, (_, _, backlogged) in zip(lanes, given_lanes, strict=True):
        lane.backlogged = backlogged
    waits, capacity = waiting(lanes), slots(*free)
    taken = waits.take(capacity, unproven)
    assert {lane.webhook_id for lane in (*taken, *waits)} == set(range(len(lanes)))
    on_probation = sum(lane.kind is LaneKind.PROBATION for lane in taken)
    assert on_probation <= unproven
    for lane in waits:
        assert capacity.rows_for(lane) <= 0 or (lane.kind is LaneKind.PROBATION and on_probation == unproven)
    assert waits.crowded_out(capacity) == any(capacity.rows_for(lane) <= 0 for lane in waits)
