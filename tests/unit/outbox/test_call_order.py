"""Order within a call: which of its open rows may be sent now, which have to wait, and until when."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks.outbox.call_order import POISON_CLAIMS, CallSplit, split
from webhooks.outbox.rows import HOLD_MS, LEASE_MS, OpenRow

NOW_MS = 10_000_000
ME, OTHER = "owner", "another worker"


def due(id_: int, **fields: Any) -> OpenRow:
    """A fresh row that is due."""
    fresh = OpenRow(
        id_, event_id=id_, thread_key="call", created_ms=NOW_MS - 1, first_try_ms=None, claims=0, tries=0,
        attempts=0, state="pending", due_ms=NOW_MS - 1, owner=None, head_id=1,
    )  # fmt: skip
    return fresh._replace(**fields)


def waits_for_retry(id_: int, due_ms: int, first_try_ms: int) -> OpenRow:
    return due(id_, due_ms=due_ms, first_try_ms=first_try_ms, tries=1, claims=1, attempts=1)


def in_flight(id_: int, first_try_ms: int = NOW_MS - 1) -> OpenRow:
    return due(id_, owner=ME, due_ms=first_try_ms + LEASE_MS, first_try_ms=first_try_ms, claims=1)


def split_(*rows: OpenRow, limit: int = 50, oldest_ms: int | None = None) -> CallSplit:
    return split(rows, ME, now_ms=NOW_MS, limit=limit, oldest_ms=oldest_ms)


def ids(split: CallSplit) -> list[int]:
    return [row.id for row in split.batch]


def test_rows_that_are_due_go_in_order_as_one_batch() -> None:
    assert ids(split_(due(1), due(2), due(3))) == [1, 2, 3]


def test_no_more_than_the_limit_go_and_the_rest_waits_for_them() -> None:
    split = split_(due(1), due(2), due(3), limit=2)
    assert ids(split) == [1, 2] and split.recheck_ms == NOW_MS + LEASE_MS


def test_a_row_in_flight_holds_back_the_later_ones_for_30_seconds() -> None:
    began_ms = NOW_MS - 5_000
    assert split_(in_flight(1, began_ms), due(2)) == CallSplit([], [], began_ms + HOLD_MS)
    assert ids(split_(in_flight(1, NOW_MS - HOLD_MS), due(2))) == [2]


def test_a_row_that_waits_for_its_retry_holds_back_the_later_ones_until_then() -> None:
    retry = waits_for_retry(1, due_ms=NOW_MS + 4_000, first_try_ms=NOW_MS - 1_000)
    assert split_(retry, due(2)) == CallSplit([], [], NOW_MS + 4_000)


def test_but_no_longer_than_30_seconds_from_its_first_attempt() -> None:
    began_ms = NOW_MS - 29_000
    retry = waits_for_retry(1, due_ms=NOW_MS + 3_600_000, first_try_ms=began_ms)
    assert split_(retry, due(2)) == CallSplit([], [], began_ms + HOLD_MS)
    retry = retry._replace(first_try_ms=NOW_MS - 30_000)
    assert ids(split_(retry, due(2), due(3))) == [2, 3]


def test_a_row_that_waits_in_the_middle_ends_the_batch() -> None:
    middle = waits_for_retry(2, due_ms=NOW_MS + 4_000, first_try_ms=NOW_MS - 1_000)
    split = split_(due(1), middle, due(3))
    assert ids(split) == [1] and split.recheck_ms == NOW_MS + 4_000


def test_a_held_row_that_was_never_tried_holds_back_the_later_ones() -> None:
    split = split_(due(1, state="held"), due(2))
    assert ids(split) == [] and split.recheck_ms == NOW_MS + HOLD_MS


def test_a_row_that_another_worker_let_its_lease_run_out_for_is_sent_again() -> None:
    """Its machine is lost; while the lease runs, it holds back the later ones."""
    lost = due(1, owner=OTHER, due_ms=NOW_MS, first_try_ms=NOW_MS - LEASE_MS, claims=1)
    assert ids(split_(lost, due(2))) == [1, 2]
    leased = lost._replace(due_ms=NOW_MS + 1, first_try_ms=NOW_MS + 1 - LEASE_MS)
    assert ids(split_(leased, due(2))) == []


def test_rows_older_than_the_maximum_age_expire_and_hold_back_nothing() -> None:
    split = split_(due(1, created_ms=10), due(2, created_ms=20), due(3, created_ms=30), oldest_ms=25)
    assert split.expired == [1, 2] and ids(split) == [3]


def test_a_row_that_a_person_opened_again_is_never_too_old() -> None:
    split = split_(due(1, created_ms=10, first_try_ms=0), oldest_ms=25)
    assert split.expired == [] and ids(split) == [1]


@pytest.mark.parametrize(
    ("poison", "batch"), [(1, [1]), (2, [1]), (3, [1, 2])], ids=["first", "second", "third"]
)
def test_a_row_that_may_kill_the_process_is_sent_alone(poison: int, batch: list[int]) -> None:
    rows = [due(id_, claims=POISON_CLAIMS if id_ == poison else 0) for id_ in (1, 2, 3)]
    assert ids(split_(*rows)) == batch


def test_claims_that_came_to_an_outcome_make_no_poison() -> None:
    assert ids(split_(due(1, claims=7, tries=5, first_try_ms=0), due(2))) == [1, 2]


rows = st.builds(
    due,
    st.integers(1, 5),
    created_ms=st.integers(NOW_MS - 50, NOW_MS),
    first_try_ms=st.none() | st.just(0) | st.integers(NOW_MS - 60_000, NOW_MS),
    claims=st.integers(0, 4),
    tries=st.integers(0, 4),
    state=st.sampled_from(["pending", "held"]),
    due_ms=st.integers(NOW_MS - 10_000, NOW_MS + 60_000),
    owner=st.sampled_from([None, ME, OTHER]),
)


@given(rows=st.lists(rows, max_size=8), limit=st.integers(1, 5), oldest_ms=st.none() | st.just(NOW_MS - 25))
def test_whatever_the_rows_order_holds(rows: list[OpenRow], limit: int, oldest_ms: int | None) -> None:
    rows = [row._replace(id=number) for number, row in enumerate(rows)]
    split = split_(*rows, limit=limit, oldest_ms=oldest_ms)
    assert split.recheck_ms > NOW_MS, "a deferred row is looked at again, and not at once"
    assert ids(split) == sorted(ids(split)) and len(split.batch) <= limit
    assert not set(ids(split)) & set(split.expired)
    for row in split.batch:
        assert row.state == "pending" and row.due_ms <= NOW_MS and row.owner != ME
        for earlier in rows[: row.id]:  # each is sent before it, expired, or has had its 30 seconds
            hold_over = earlier.first_try_ms is not None and earlier.first_try_ms + HOLD_MS <= NOW_MS
            assert earlier in split.batch or earlier.id in split.expired or hold_over
