"""The worker pool's judgement of its fast threads."""

from webhooks.dispatcher.worker_pool import stuck_after_s


def test_no_thread_counts_as_stuck_soon_while_the_watchdog_itself_gets_no_processor() -> None:
    in_time, late = stuck_after_s(0.026), stuck_after_s(0.2)
    assert in_time == 0.05
    assert late > 10 * in_time


def test_a_thread_that_hangs_is_replaced_even_on_a_busy_machine() -> None:
    assert stuck_after_s(60.0) <= 1.0
