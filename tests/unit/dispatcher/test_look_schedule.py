"""When the dispatcher looks at the database, with a clock handed in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks.dispatcher.look_schedule import AWAKE_S, POLL_S, SHARE, SHARE_BESIDE_GLANCES, LookSchedule

NOW_S = 1000.0


def quiet(at_s: float = NOW_S) -> LookSchedule:
    """A schedule that has just polled and looked, and found nothing."""
    schedule = LookSchedule()
    schedule.polled(at_s)
    look(schedule, at_s)
    return schedule


def look(schedule: LookSchedule, at_s: float, cost_s: float = 0.0) -> None:
    schedule.look_begins(at_s)
    schedule.look_ended(cost_s)


def test_the_first_round_polls_and_looks() -> None:
    schedule = LookSchedule()
    assert schedule.poll_is_due(NOW_S) and schedule.look_is_due(NOW_S) and schedule.wait_s(NOW_S) == 0


def test_with_nothing_to_do_it_waits_for_the_poll() -> None:
    schedule = quiet()
    assert not schedule.look_is_due(NOW_S + 0.4) and not schedule.poll_is_due(NOW_S + 0.4)
    assert schedule.wait_s(NOW_S) == POLL_S
    assert schedule.poll_is_due(NOW_S + POLL_S)


def test_a_poll_brings_a_look() -> None:
    schedule = quiet()
    schedule.polled(NOW_S + 0.1)
    assert schedule.look_is_due(NOW_S + 0.1)


def test_a_request_is_answered_by_one_look() -> None:
    schedule = quiet()
    schedule.request()
    assert schedule.wait_s(NOW_S) == 0 and schedule.look_is_due(NOW_S)
    look(schedule, NOW_S)
    assert not schedule.look_is_due(NOW_S)


def test_a_request_during_a_look_is_not_lost() -> None:
    schedule = quiet()
    schedule.look_begins(NOW_S)
    schedule.request()
    schedule.look_ended(0)
    assert schedule.look_is_due(NOW_S)


def test_after_work_it_glances_every_few_milliseconds_and_then_rests() -> None:
    schedule = quiet()
    schedule.worked(NOW_S)
    assert 0 < schedule.wait_s(NOW_S) <= 0.0051
    assert not schedule.glance_is_due(NOW_S + 0.004) and schedule.glance_is_due(NOW_S + 0.006)
    schedule.glanced(NOW_S + 0.006)
    assert not schedule.glance_is_due(NOW_S + 0.007) and schedule.glance_is_due(NOW_S + 0.009)
    schedule.outdate(NOW_S + 0.009)
    assert not schedule.glance_is_due(NOW_S + 0.013) and schedule.glance_is_due(NOW_S + 0.015)
    look(schedule, NOW_S + 0.015)
    assert not schedule.look_is_due(NOW_S + 0.016)
    assert not schedule.glance_is_due(NOW_S + AWAKE_S + 0.001)


def test_a_commit_asks_for_a_look_also_when_no_glance_follows() -> None:
    schedule = quiet()
    schedule.outdate(NOW_S)
    assert not schedule.look_is_due(NOW_S + 0.004) and schedule.look_is_due(NOW_S + 0.006)
    assert 0 < schedule.wait_s(NOW_S) <= 0.0051
    look(schedule, NOW_S + 0.006)
    assert not schedule.look_is_due(NOW_S + 0.4)


@pytest.mark.parametrize(("share", "gap_s"), [(SHARE, 0.04), (SHARE_BESIDE_GLANCES, 0.16)])
def test_looks_that_cost_much_are_further_apart(share: float, gap_s: float) -> None:
    schedule = LookSchedule(share=share)
    look(schedule, NOW_S, cost_s=0.008)
    schedule.outdate(NOW_S)
    assert not schedule.look_is_due(NOW_S + gap_s - 0.001) and schedule.look_is_due(NOW_S + gap_s + 0.001)


CALLS = st.one_of(
    st.tuples(st.just("outdated"), st.just(0.0)),
    st.tuples(st.just("worked"), st.just(0.0)),
    st.tuples(st.just("polled"), st.just(0.0)),
    st.tuples(st.just("glanced"), st.just(0.0)),
    st.tuples(st.just("looked"), st.floats(0, 0.01)),
    st.tuples(st.just("passed"), st.floats(0, 1)),
)


@given(calls=st.lists(CALLS, max_size=30))
def test_it_never_sleeps_past_a_look_or_a_poll(calls: list[tuple[str, float]]) -> None:
    """Whatever happened: just before the wait is over neither is due, unless it was due before the wait."""
    schedule, now_s = quiet(), NOW_S
    for call, number in calls:
        if call == "outdated":
            schedule.outdate(NOW_S)
        elif call == "worked":
            schedule.worked(now_s)
        elif call == "polled":
            schedule.polled(now_s)
        elif call == "glanced":
            schedule.glanced(now_s)
        elif call == "looked":
            look(schedule, now_s, number)
        else:
            now_s += number
    wait_s = schedule.wait_s(now_s)
    assert 0 <= wait_s <= POLL_S
    if not _is_due(schedule, now_s):
        assert not _is_due(schedule, now_s + max(0.0, wait_s - 0.0001))


def _is_due(schedule: LookSchedule, at_s: float) -> bool:
    return schedule.look_is_due(at_s) or schedule.poll_is_due(at_s) or schedule.glance_is_due(at_s)
