"""A webhook's rate limit, with a clock handed in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks.dispatcher.token_bucket import TokenBucket


def test_without_a_rate_any_number_is_allowed() -> None:
    bucket = TokenBucket(at_s=0)
    bucket.spend(1_000)
    assert bucket.available(0) is None and bucket.wait_ms() == 0


def test_a_new_bucket_is_empty_and_says_when_the_first_row_is_allowed() -> None:
    bucket = TokenBucket(at_s=100, rate_per_s=4)
    assert (bucket.available(100), bucket.wait_ms()) == (0, 250)
    assert (bucket.available(100.25), bucket.wait_ms()) == (1, 0)


def test_tokens_of_one_second_are_kept_and_no_more() -> None:
    assert TokenBucket(at_s=0, rate_per_s=10).available(3600) == 10


def test_a_rate_below_one_a_second_still_allows_a_row_now_and_then() -> None:
    bucket = TokenBucket(at_s=0, rate_per_s=0.1)
    assert (bucket.available(5), bucket.wait_ms()) == (0, 5_000)
    assert bucket.available(3600) == 1


def test_a_rate_that_is_set_later_does_not_charge_what_was_sent_without_one() -> None:
    bucket = TokenBucket(at_s=0)
    bucket.spend(50_000)
    bucket.rate_per_s = 10
    assert bucket.available(60) == 10


@given(
    rate=st.floats(0.01, 10_000),
    steps=st.lists(st.floats(0, 10), min_size=1, max_size=50),
)
def test_in_no_span_more_is_sent_than_the_rate_and_one_second_of_it(rate: float, steps: list[float]) -> None:
    """Whoever takes all that is allowed, whenever it asks."""
    bucket, now_s, sent = TokenBucket(at_s=0, rate_per_s=rate), 0.0, 0
    for step in steps:
        now_s += step
        allowed = bucket.available(now_s)
        assert allowed is not None
        bucket.spend(allowed)
        sent += allowed
    assert sent <= now_s * rate + 1e-6 * max(now_s * rate, 1)


@given(rate=st.floats(0.01, 10_000), spent=st.integers(0, 100))
def test_after_the_wait_that_it_names_a_row_is_allowed(rate: float, spent: int) -> None:
    bucket = TokenBucket(at_s=0, rate_per_s=rate)
    bucket.available(0)
    bucket.spend(spent)
    wait_s = bucket.wait_ms() / 1000
    assert bucket.available(wait_s * (1 + 1e-9) + 1e-9) == pytest.approx(1)
