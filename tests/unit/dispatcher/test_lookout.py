"""What looks and glances find, by a SQLite database of their own."""

from pathlib import Path

import pytest
from two_webhooks import TwoWebhooks

from webhooks.db import row_errors
from webhooks.db.store import Store, now_ms
from webhooks.dispatcher import lookout as module
from webhooks.dispatcher.lookout import Found, Lookout
from webhooks.outbox import leases

AT_S = 1000.0


def looked(outbox: TwoWebhooks) -> Lookout:
    """A lookout that has looked once."""
    lookout = Lookout(Store(outbox.settings), "me")
    lookout.look(AT_S, [])
    return lookout


@pytest.fixture
def outbox(tmp_path: Path) -> TwoWebhooks:
    return TwoWebhooks(tmp_path)


def webhooks(found: Found | None) -> list[int]:
    return sorted(lane.webhook_id for lane in found.lanes) if found else []


def test_a_glance_finds_each_new_delivery_once(outbox: TwoWebhooks) -> None:
    lookout = looked(outbox)
    assert lookout.glance(AT_S) is None
    outbox.deliver(1)
    outbox.deliver(1)
    outbox.deliver(2, due_ms=now_ms() + 60_000)
    found = lookout.glance(AT_S)
    assert webhooks(found) == [1, 2] and found is not None and not found.whole
    assert min(lane.due_ms for lane in found.lanes) == 1
    assert lookout.glance(AT_S) is None


def test_where_looks_cost_little_one_follows_instead(outbox: TwoWebhooks) -> None:
    lookout = looked(outbox)
    outbox.deliver(1)
    assert lookout.glance(AT_S + 10) is None and lookout.schedule.wait_s(AT_S + 10) == 0
    assert webhooks(lookout.look(AT_S + 10, [])) == [1]


def test_what_a_look_has_read_is_not_new(outbox: TwoWebhooks) -> None:
    lookout = looked(outbox)
    outbox.deliver(1)
    assert webhooks(lookout.look(AT_S, [])) == [1]
    assert lookout.glance(AT_S) is None


def test_a_restarted_worker_looks_first_and_glances_from_there(outbox: TwoWebhooks) -> None:
    outbox.deliver(1)
    lookout = Lookout(Store(outbox.settings), "me")
    assert lookout.schedule.look_is_due(AT_S)
    assert webhooks(lookout.look(AT_S, [])) == [1] and not webhooks(lookout.glance(AT_S))


def test_it_tells_who_has_answered_before_and_did_not_break_since(outbox: TwoWebhooks) -> None:
    outbox.deliver(1)
    outbox.write("UPDATE delivery SET state = 'delivered'")
    lookout = looked(outbox)
    for webhook in (1, 2):
        outbox.deliver(webhook)

    def answered(found: Found | None) -> dict[int, bool]:
        return {lane.webhook_id: lane.has_answered for lane in found.lanes} if found else {}

    assert answered(lookout.glance(AT_S)) == answered(lookout.look(AT_S, [])) == {1: True, 2: False}
    outbox.write("UPDATE lane SET broken = 1")
    assert answered(lookout.look(AT_S, [])) == {1: False, 2: False}


def test_gaps_between_ids_and_purged_deliveries_hide_nothing(outbox: TwoWebhooks) -> None:
    outbox.deliver(1)
    lookout = looked(outbox)
    outbox.write("DELETE FROM delivery")  # purged: the highest id is one that was not there before
    assert lookout.glance(AT_S) is None
    outbox.deliver(2)
    assert webhooks(lookout.glance(AT_S)) == [2]
    outbox.write("UPDATE sqlite_sequence SET seq = seq + 100 WHERE name = 'delivery'")
    outbox.deliver(1)
    assert webhooks(lookout.glance(AT_S)) == [1]
    outbox.write("DELETE FROM delivery")
    lookout.look(AT_S, [])
    outbox.deliver(2)
    assert webhooks(lookout.glance(AT_S)) == [2]


def test_a_new_delivery_of_a_lane_that_another_worker_owns_is_left_to_it(outbox: TwoWebhooks) -> None:
    lookout = looked(outbox)
    outbox.write("UPDATE lane SET owner = 'other' WHERE webhook_id = 1")
    outbox.write("UPDATE lane SET owner = 'me' WHERE webhook_id = 2")
    outbox.deliver(1)
    outbox.deliver(2)
    assert webhooks(lookout.glance(AT_S)) == [2]


def test_a_lane_that_another_worker_releases_is_found_by_the_look_that_follows(outbox: TwoWebhooks) -> None:
    outbox.write("UPDATE lane SET owner = 'other'")
    outbox.deliver(1)
    lookout = looked(outbox)
    assert not lookout.schedule.look_is_due(AT_S + 0.3)
    outbox.write("UPDATE lane SET owner = NULL")
    assert not webhooks(lookout.glance(AT_S))
    assert lookout.schedule.look_is_due(AT_S + 0.3) and lookout.schedule.wait_s(AT_S) < 0.3
    assert webhooks(lookout.look(AT_S + 0.3, [])) == [1]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE webhook SET state = 'paused' WHERE id = 1",
        "UPDATE webhook SET deleted_at = 1 WHERE id = 1",
        "UPDATE delivery SET state = 'held' WHERE webhook_id = 1",
    ],
)
def test_a_glance_asks_of_a_lane_what_a_look_asks(outbox: TwoWebhooks, change: str) -> None:
    lookout = looked(outbox)
    outbox.deliver(1)
    outbox.deliver(2)
    outbox.write(change)
    assert webhooks(lookout.glance(AT_S)) == webhooks(lookout.look(AT_S, [])) == [2]


def test_a_hold_counts_for_new_deliveries_too(outbox: TwoWebhooks) -> None:
    lookout = looked(outbox)
    outbox.write("UPDATE lane SET not_before = 50, probe_at = 70 WHERE webhook_id = 1")
    outbox.deliver(1)
    found = lookout.glance(AT_S)
    assert found is not None and [lane.due_ms for lane in found.lanes] == [70]


def test_more_new_deliveries_than_a_glance_reads_ask_for_a_look(
    outbox: TwoWebhooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    lookout = looked(outbox)
    monkeypatch.setattr(module, "_NEW_ROWS", 2)
    for webhook_id in (1, 2, 1):
        outbox.deliver(webhook_id)
    assert lookout.glance(AT_S) is None and lookout.schedule.look_is_due(AT_S)
    assert webhooks(lookout.look(AT_S, [])) == [1, 2]


def test_a_look_leaves_out_the_busy_and_a_refused_lane(
    outbox: TwoWebhooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox.deliver(1)
    outbox.deliver(2)
    lookout = looked(outbox)
    assert webhooks(lookout.look(AT_S, [1])) == [2]
    monkeypatch.setattr(row_errors, "left_alone", lambda _table: frozenset([2]))
    assert webhooks(lookout.look(AT_S, [])) == [1]


def test_a_lane_with_nothing_due_is_not_acquired(outbox: TwoWebhooks) -> None:
    """What a look said may be over by then: the other worker was quicker."""
    outbox.deliver(1, due_ms=1)
    outbox.deliver(2, due_ms=100)
    with outbox.theirs.direct() as direct:
        assert leases.acquire_if_due(direct, "me", [1, 2], 50) == [1]
        assert leases.acquire_if_due(direct, "other", [1, 2], 100) == [2]
