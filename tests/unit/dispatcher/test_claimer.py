"""What a round claims of many lanes. The outbox is a dict here: due rows by lane, each of its own call."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks.dispatcher import claimer as module
from webhooks.dispatcher.claimer import Claimer
from webhooks.dispatcher.lane import BULK_ROWS, LaneKind
from webhooks.dispatcher.lane_leases import LaneLeases
from webhooks.dispatcher.task import Task, TaskKind
from webhooks.dispatcher.timers import Timers
from webhooks.dispatcher.waiting import Waiting
from webhooks.dispatcher.worker_pool import FAST_BULKS, FAST_SINGLES
from webhooks.outbound.options import Options
from webhooks.outbox.claim import Claim, ClaimLimits
from webhooks.outbox.rows import ClaimedRow, OpenRow

THREADS = 128
NOW_MS = 1_000_000


class FakeOutbox:
    """Due rows by webhook. What it is asked for is noted in ``queries``."""

    def __init__(self, due: dict[int, int]) -> None:
        self.due = due
        self.queries: list[str] = []

    def choose_first(
        self, _direct: object, _owner_id: str, limits: Mapping[int, ClaimLimits], _now_ms: int
    ) -> dict[int, Claim | None]:
        self.queries.append("first of many")
        claims: dict[int, Claim | None] = {}
        for webhook_id, of_lane in limits.items():
            if self.due[webhook_id]:
                simple = self.due[webhook_id] == 1 or of_lane.rows == 1
                claims[webhook_id] = self._claim(webhook_id, 1) if simple else None
        return claims

    def choose(
        self, _direct: object, _owner_id: str, webhook_id: int, limits: ClaimLimits, _now_ms: int
    ) -> Claim:
        self.queries.append(f"of {webhook_id}")
        return self._claim(webhook_id, min(limits.rows, self.due[webhook_id]))

    def _claim(self, webhook_id: int, rows: int) -> Claim:
        batches = [
            [OpenRow(number, number, f"call {number}", 0, None, 0, 0, 0, "pending", 0, None)]
            for number in range(rows)
        ]
        return Claim(batches, may_have_more=self.due[webhook_id] > rows)

    @staticmethod
    def mark_claimed(
        _direct: object, _owner_id: str, claims: Sequence[Claim], _now_ms: int
    ) -> list[list[list[ClaimedRow]]]:
        def claimed(row: OpenRow) -> ClaimedRow:
            return ClaimedRow(row.id, row.thread_key, 0, 0, 0, "", "", None)

        return [[[claimed(row) for row in batch] for batch in claim.batches] for claim in claims]


class Direct:
    """A connection that refuses no row."""

    def tried(self, write):  # type: ignore[no-untyped-def]
        write()


def round_(
    monkeypatch: pytest.MonkeyPatch, lanes: Sequence[tuple[LaneKind, bool, int]], rate: float | None = None
) -> tuple[list[Task], FakeOutbox, Claimer, Timers]:
    """One round over lanes, given as kind, whether they were backlogged, and due rows; ids count from 0."""
    waiting, timers = Waiting(), Timers()
    leases = LaneLeases("owner", None, None, None, waiting, timers)  # type: ignore[arg-type]
    claimer = Claimer("owner", leases, waiting, timers, THREADS)
    for webhook_id, (kind, backlogged, _) in enumerate(lanes):
        lane = leases.lane(webhook_id)
        lane.owned, lane._answers, lane.backlogged = True, kind, backlogged
        lane.options, lane._bucket.rate_per_s = Options(rate=rate), rate
        waiting.add(lane)
    outbox = FakeOutbox({webhook_id: due for webhook_id, (_, _, due) in enumerate(lanes)})
    monkeypatch.setattr(module, "outbox", outbox)
    monkeypatch.setattr(module, "marking", outbox)
    tasks = claimer.claim(Direct(), claimer.take_turns(), now_ms=NOW_MS)  # type: ignore[arg-type]
    return tasks, outbox, claimer, timers


def summary(tasks: Sequence[Task]) -> list[tuple[int, TaskKind, int]]:
    return [(task.lane.webhook_id, task.kind, len(task.rows)) for task in tasks]


def test_lanes_with_one_row_each_share_a_query(monkeypatch: pytest.MonkeyPatch) -> None:
    tasks, outbox, _, _ = round_(monkeypatch, [(LaneKind.FAST, False, 1)] * 3)
    assert summary(tasks) == [(number, TaskKind.SINGLE, 1) for number in range(3)]
    assert outbox.queries == ["first of many"]


def test_a_lane_that_turns_out_to_have_more_gets_a_query_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    tasks, outbox, _, _ = round_(monkeypatch, [(LaneKind.FAST, False, 1), (LaneKind.FAST, False, 70)])
    assert summary(tasks) == [(0, TaskKind.SINGLE, 1), (1, TaskKind.BULK, BULK_ROWS)]
    assert outbox.queries == ["first of many", "of 1"]
    assert tasks[1].lane.backlogged and not tasks[0].lane.backlogged


def test_each_lane_gets_a_row_where_many_have_more_than_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The slot that was reserved for a lane is given back before its own query."""
    tasks, _, _, _ = round_(monkeypatch, [(LaneKind.FAST, False, 2)] * FAST_SINGLES)
    assert summary(tasks) == [
        *((number, TaskKind.BULK, 2) for number in range(FAST_BULKS)),
        *((number, TaskKind.SINGLE, 1) for number in range(FAST_BULKS, FAST_SINGLES)),
    ]


def test_two_backlogs_do_not_take_the_singles_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    lanes = [(LaneKind.FAST, True, 30_000)] * (FAST_BULKS + 2) + [(LaneKind.FAST, False, 1)] * 5
    tasks, _, claimer, _ = round_(monkeypatch, lanes)
    kinds = [task.kind for task in tasks]
    assert (kinds.count(TaskKind.BULK), kinds.count(TaskKind.SINGLE)) == (FAST_BULKS, 5)
    assert claimer.crowded_out and len(list(claimer._waiting)) == 2


def test_on_probation_one_row_goes_however_many_are_due(monkeypatch: pytest.MonkeyPatch) -> None:
    tasks, _, _, _ = round_(monkeypatch, [(LaneKind.PROBATION, True, 500)])
    assert summary(tasks) == [(0, TaskKind.PROBATION, 1)] and tasks[0].lane.may_have_more


def test_a_slow_lane_gets_a_task_a_call_up_to_its_concurrency(monkeypatch: pytest.MonkeyPatch) -> None:
    tasks, _, _, _ = round_(monkeypatch, [(LaneKind.SLOW, True, 500)])
    assert summary(tasks) == [(0, TaskKind.SLOW, 1)] * Options().concurrency


def test_a_lane_whose_rate_allows_no_row_waits_until_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    tasks, _, claimer, timers = round_(monkeypatch, [(LaneKind.FAST, False, 3)], rate=1.0)
    assert tasks == [] and not list(claimer._waiting)
    assert 0.9 < timers.wait_s(NOW_MS) <= 1


@given(
    st.lists(
        st.tuples(st.sampled_from(LaneKind), st.booleans(), st.integers(0, 60) | st.just(1)), max_size=150
    )
)
def test_a_round_never_takes_more_slots_than_there_are(lanes: list[tuple[LaneKind, bool, int]]) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        tasks, _, claimer, _ = round_(monkeypatch, lanes)
    for task in tasks:
        claimer.begin(task)
    kinds = [task.kind for task in tasks]
    assert kinds.count(TaskKind.SINGLE) <= FAST_SINGLES and kinds.count(TaskKind.BULK) <= FAST_BULKS
    assert kinds.count(TaskKind.PROBATION) <= THREADS // 2
    assert kinds.count(TaskKind.SLOW) + kinds.count(TaskKind.PROBATION) <= THREADS
    for task in tasks:
        claimer.end(task)
    assert claimer.idle and not claimer.fast_threads_busy
