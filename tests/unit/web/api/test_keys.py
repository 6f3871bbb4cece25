"""The limit of an API key, with a clock handed in."""

import pytest

from webhooks.errors import TooMany
from webhooks.web.api.keys import Limits


def test_a_key_has_a_second_of_requests_at_once_and_then_its_rate() -> None:
    at_s = [100.0]
    limits = Limits(4, lambda: at_s[0])
    for _ in range(4):
        limits.take(1)
    with pytest.raises(TooMany) as refused:
        limits.take(1)
    assert refused.value.retry_after == 1
    at_s[0] += 0.25
    limits.take(1)
    with pytest.raises(TooMany):
        limits.take(1)


def test_each_key_has_a_limit_of_its_own() -> None:
    limits = Limits(1, lambda: 0.0)
    limits.take(1)
    limits.take(2)
    with pytest.raises(TooMany):
        limits.take(1)
