"""How a lane is served, and what may be claimed of it."""

import pytest

from webhooks.dispatcher.lane import BULK_ROWS, FAST_SHARE, Lane, LaneKind
from webhooks.outbound.options import Options
from webhooks.outbound.sender import Outcome
from webhooks.outbox.claim import Claim

AT_ONCE = Outcome(1, 1, 0, duration_s=0.001, http_status=200)
SLOWLY = Outcome(1, 1, 0, duration_s=0.1, http_status=200)
REFUSED = Outcome(1, 1, 0, http_status=500, error="The receiver answered 500.")
BROKEN = Outcome(1, 1, 0, error="No complete answer within 1 second.", broken=True)
NOW_MS = 1_000_000


def lane_after(*outcomes: Outcome, concurrency: int = 8) -> Lane:
    lane = Lane(1)
    lane.options = Options(concurrency=concurrency)
    for outcome in outcomes:
        lane.note_outcome(outcome, NOW_MS)
    return lane


def rows(lane: Lane, capacity: int = 1000, now_ms: int = NOW_MS) -> int:
    return lane.claim_limits(now_ms, capacity).rows


@pytest.mark.parametrize(
    ("outcomes", "kind"),
    [
        ([], LaneKind.PROBATION),
        ([AT_ONCE], LaneKind.FAST),
        ([SLOWLY], LaneKind.SLOW),
        ([AT_ONCE, SLOWLY], LaneKind.SLOW),
        ([AT_ONCE, REFUSED], LaneKind.FAST),
        ([AT_ONCE, BROKEN], LaneKind.PROBATION),
        ([BROKEN, SLOWLY], LaneKind.SLOW),
        ([REFUSED], LaneKind.PROBATION),
    ],
)
def test_the_receivers_answers_decide_how_a_lane_is_served(outcomes: list[Outcome], kind: LaneKind) -> None:
    assert lane_after(*outcomes).kind is kind


def test_an_open_circuit_puts_a_proven_lane_on_probation() -> None:
    lane = lane_after(AT_ONCE)
    lane.health.broken = 5  # as another worker has left it
    assert lane.kind is LaneKind.PROBATION


def test_a_test_events_failure_is_no_failure_of_the_webhook() -> None:
    lane = Lane(1)
    gone = Outcome(1, 1, 0, http_status=410, error="The receiver answered 410 Gone.")
    for outcome in (REFUSED, BROKEN, gone):
        assert lane.note_outcome(outcome, NOW_MS, is_test=True) is None
    assert (lane.health.failures, lane.health.failing_since_ms) == (0, None)


def test_on_probation_one_row_is_in_flight() -> None:
    lane = lane_after()
    assert rows(lane) == 1
    lane.in_flight = 1
    assert rows(lane) == 0


def test_a_fast_lane_has_its_share_of_bulk_tasks() -> None:
    lane = lane_after(AT_ONCE)
    assert rows(lane) == BULK_ROWS
    lane.in_flight = FAST_SHARE
    assert rows(lane) == 0


def test_a_fast_lane_of_concurrency_one_has_one_task() -> None:
    lane = lane_after(AT_ONCE, concurrency=1)
    lane.in_flight = 1
    assert rows(lane) == 0


def test_a_slow_lane_has_what_its_concurrency_leaves() -> None:
    lane = lane_after(SLOWLY)
    lane.in_flight = 3
    assert rows(lane) == 5 and rows(lane, capacity=2) == 2


def test_a_concurrency_lowered_below_what_is_in_flight_allows_no_row() -> None:
    lane = lane_after(SLOWLY, concurrency=2)
    lane.in_flight = 5
    assert rows(lane) == 0


@pytest.mark.parametrize("outcomes", [[], [AT_ONCE], [SLOWLY]])
def test_without_capacity_paused_or_held_nothing_is_claimed(outcomes: list[Outcome]) -> None:
    lane = lane_after(*outcomes)
    assert rows(lane, capacity=0) == 0
    lane.health.not_before_ms = NOW_MS + 1
    assert rows(lane) == 0 and rows(lane, now_ms=NOW_MS + 1) > 0
    lane.health.not_before_ms = 0
    lane.active = False
    assert rows(lane) == 0


def test_a_claim_that_leaves_due_rows_makes_a_backlog() -> None:
    lane = lane_after(AT_ONCE)
    lane.note_claim(Claim(may_have_more=True, deferred_calls={"a"}), rows=1)
    assert lane.backlogged and lane.may_have_more and lane.deferred_calls == {"a"}
    lane.note_claim(Claim(), rows=1)
    assert not lane.backlogged and not lane.may_have_more
    assert lane.deferred_calls == {"a"}, "only settling the earlier row releases them"
