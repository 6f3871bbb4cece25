"""Which lanes a process acquires, keeps and releases, and which of them wait for their turn."""

from collections.abc import Callable, Collection
from pathlib import Path

import pytest
from two_webhooks import TwoWebhooks

from webhooks.db.store import Store, now_ms
from webhooks.dispatcher.lane import Lane, LaneKind
from webhooks.dispatcher.lane_leases import LaneLeases
from webhooks.dispatcher.lookout import Found
from webhooks.dispatcher.timers import Timers
from webhooks.dispatcher.waiting import Waiting
from webhooks.outbound.address_rules import AddressRules
from webhooks.outbound.connector import Connector
from webhooks.outbox.leases import DueLane

LATER_MS = 1_000


class Process:
    """The lanes of one worker process, and its transactions."""

    def __init__(self, outbox: TwoWebhooks, name: str = "me") -> None:
        self.outbox, self.waiting, self.timers = outbox, Waiting(), Timers()
        self.store = Store(outbox.settings)
        connector = Connector(AddressRules())
        self.leases = LaneLeases(name, outbox.settings, connector, self.store, self.waiting, self.timers)

    def find(self, *webhooks: int, whole: bool = True) -> None:
        due = [DueLane(webhook, 1) for webhook in webhooks]
        self.leases.note_found(Found(due, whole), now_ms())

    def acquire(self, *webhooks: int) -> list[bool]:
        """Whether each of them is this process's now."""
        lanes = [self.leases.lane(webhook) for webhook in webhooks]
        with self.store.direct() as direct:
            self.leases.acquire(direct, lanes, [], now_ms())
        self.leases.prepare(now_ms())
        return [lane.owned for lane in lanes]

    def release(
        self, *webhooks: int, claimed: Collection[int] = (), room: Callable[[Lane], bool] = lambda _: True
    ) -> None:
        lanes = [self.leases.lane(webhook) for webhook in webhooks]
        with self.store.direct() as direct:
            self.leases.release_idle(direct, lanes, claimed, room, now_ms())

    def waits(self) -> list[int]:
        return sorted(lane.webhook_id for lane in self.waiting)


@pytest.fixture
def me(tmp_path: Path) -> Process:
    return Process(TwoWebhooks(tmp_path))


def owners(process: Process) -> list[str | None]:
    with process.store.direct_read() as direct:
        return [owner for (owner,) in direct.rows("SELECT owner FROM lane ORDER BY webhook_id")]


def crowded(_: Lane) -> bool:
    return False


def test_a_look_says_who_waits_and_a_glance_only_adds(me: Process) -> None:
    me.find(1)
    me.find(2, whole=False)
    assert me.waits() == [1, 2]
    me.find(2)
    assert me.waits() == [2], "another process has sent what the first one had"


def test_a_lane_that_is_due_later_waits_from_then_on(me: Process) -> None:
    now = now_ms()
    me.leases.note_found(Found([DueLane(1, now + LATER_MS)], whole=True), now)
    assert me.waits() == [] and me.timers.wait_s(now) == LATER_MS / 1000
    me.leases.note_time(now + LATER_MS)
    assert me.waits() == [1]


def test_one_process_owns_a_lane_and_only_while_something_is_due(me: Process) -> None:
    other = Process(me.outbox, "other")
    me.outbox.deliver(1)
    assert me.acquire(1, 2) == [True, False]
    assert other.acquire(1, 2) == [False, False]
    assert owners(me) == ["me", None]


def test_a_lane_without_a_due_row_is_released_and_waits_no_more(me: Process) -> None:
    me.outbox.deliver(1)
    me.find(1)
    me.acquire(1)
    me.outbox.write("DELETE FROM delivery")
    me.release(1)
    assert owners(me) == [None, None] and not me.waits() and not me.leases.resting


def test_a_row_that_came_meanwhile_keeps_the_lane_and_lets_it_wait(me: Process) -> None:
    me.outbox.deliver(1)
    me.acquire(1)
    me.release(1)
    assert owners(me) == ["me", None] and me.waits() == [1]
    assert [lane.webhook_id for lane in me.leases.resting] == [1]


def test_a_lane_in_flight_is_kept(me: Process) -> None:
    me.outbox.deliver(1)
    me.acquire(1)
    me.outbox.write("DELETE FROM delivery")
    me.release(1, claimed=[1])
    assert owners(me) == ["me", None] and not me.leases.resting
    me.leases.lane(1).in_flight = 1
    me.release(1)
    assert owners(me) == ["me", None]


def test_a_lane_without_a_slot_here_goes_to_whoever_has_one(me: Process) -> None:
    me.outbox.deliver(1)
    me.acquire(1)
    me.release(1, room=crowded)
    assert owners(me) == [None, None] and me.waits() == [1], "or to this process, should it have one first"
    assert Process(me.outbox, "other").acquire(1) == [True]


def test_a_lane_that_lost_its_slot_later_is_released_with_the_next_transaction(me: Process) -> None:
    me.outbox.deliver(1)
    me.acquire(1)
    me.release(1)
    me.release(2, room=crowded)
    assert owners(me) == [None, None]


def test_a_lane_is_kept_whose_deferred_rows_only_this_process_knows(me: Process) -> None:
    me.outbox.deliver(1)
    me.acquire(1)
    me.leases.lane(1).deferred_calls.add("call")
    me.release(1, room=crowded)
    assert owners(me) == ["me", None]


def test_a_held_lane_is_released_and_waits_from_the_end_of_its_hold(me: Process) -> None:
    me.outbox.deliver(1)
    me.acquire(1)
    until_ms = now_ms() + LATER_MS
    me.leases.lane(1).health.probe_ms = until_ms
    me.release(1)
    assert owners(me) == [None, None] and not me.waits()
    me.leases.note_time(until_ms)
    assert me.waits() == [1]


def test_a_lane_of_a_paused_webhook_is_released(me: Process) -> None:
    me.outbox.deliver(1)
    me.outbox.write("UPDATE webhook SET state = 'paused' WHERE id = 1")
    me.acquire(1)
    me.release(1)
    assert owners(me) == [None, None] and not me.waits()


def test_a_lane_whose_rate_allows_no_row_is_kept_for_its_timer(me: Process) -> None:
    me.outbox.deliver(1)
    me.acquire(1)
    me.leases.lane(1).rate_wait_ms = 10.0
    me.release(1)
    assert owners(me) == ["me", None] and not me.waits()


def test_a_report_brings_back_a_lane_that_has_more(me: Process) -> None:
    me.outbox.deliver(1)
    me.acquire(1)
    lane = me.leases.lane(1)
    me.leases.note_report(lane)
    assert not me.waits()
    lane.may_have_more = True
    me.leases.note_report(lane)
    assert me.waits() == [1]


def test_after_a_transaction_that_broke_off_nothing_is_owned(me: Process) -> None:
    me.outbox.deliver(1)
    me.find(1)
    me.acquire(1)
    me.leases.invalidate()
    assert not me.waits() and not me.leases.lane(1).owned
    assert me.acquire(1) == [True], "it is acquired anew"


def test_an_unused_lane_is_closed_unless_it_waits(me: Process) -> None:
    for webhook in (1, 2):
        me.leases.lane(webhook).used_s = float("-inf")
    me.find(2)
    assert me.leases.close_unused() == [1]


@pytest.mark.parametrize(("kind", "most"), [(LaneKind.PROBATION, 1), (LaneKind.FAST, 2), (LaneKind.SLOW, 8)])
def test_a_look_leaves_out_lanes_that_can_take_nothing(me: Process, kind: LaneKind, most: int) -> None:
    me.outbox.deliver(1)
    me.acquire(1)
    lane = me.leases.lane(1)
    lane._answers, lane.in_flight = kind, most - 1
    assert me.leases.busy() == []
    lane.in_flight = most
    assert me.leases.busy() == [1]
