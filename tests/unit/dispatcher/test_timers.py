"""Times at which webhooks have something due, with a clock handed in."""

from hypothesis import given
from hypothesis import strategies as st

from webhooks.dispatcher.timers import HORIZON_MS, Timers

NOW_MS = 1_000_000


def test_each_time_comes_once_in_its_order() -> None:
    timers = Timers()
    for webhook_id, due_ms in ((1, 300), (2, 100), (1, 200), (2, 100)):
        timers.set(webhook_id, NOW_MS + due_ms, NOW_MS)
    assert timers.wait_s(NOW_MS) == 0.1
    assert timers.pop_due(NOW_MS + 99) == []
    assert timers.pop_due(NOW_MS + 250) == [2, 1] and timers.pop_due(NOW_MS + 250) == []
    assert timers.wait_s(NOW_MS + 250) == 0.05 and timers.wait_s(NOW_MS + 400) == 0
    assert timers.pop_due(NOW_MS + 400) == [1] and timers.wait_s(NOW_MS) == float("inf")


def test_a_time_that_is_over_may_be_set_again() -> None:
    timers = Timers()
    for _ in range(2):
        timers.set(1, NOW_MS, NOW_MS)
        assert timers.pop_due(NOW_MS) == [1]


def test_what_a_poll_will_note_in_time_is_not_kept() -> None:
    """A webhook that is away for a day has a hundred thousand retries ahead."""
    timers = Timers()
    timers.set(1, NOW_MS + HORIZON_MS + 1, NOW_MS)
    assert timers.wait_s(NOW_MS) == float("inf")
    timers.set(1, NOW_MS + HORIZON_MS + 1, NOW_MS + 1)
    assert timers.wait_s(NOW_MS + 1) == HORIZON_MS / 1000


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(-10, HORIZON_MS)), max_size=40), st.integers(0, 2_000)
)
def test_what_is_due_comes_out_and_the_rest_stays(times: list[tuple[int, int]], passed_ms: int) -> None:
    timers = Timers()
    for webhook_id, in_ms in times:
        timers.set(webhook_id, NOW_MS + in_ms, NOW_MS)
    due = {(in_ms, webhook_id) for webhook_id, in_ms in times if in_ms <= passed_ms}
    assert timers.pop_due(NOW_MS + passed_ms) == [webhook_id for _, webhook_id in sorted(due)]
    later = {(in_ms, webhook_id) for webhook_id, in_ms in times} - due
    assert len(timers.pop_due(NOW_MS + HORIZON_MS)) == len(later)
