"""How often something may be asked for."""

import pytest

from webhooks.outbox import wakeup
from webhooks.outbox.wakeup import Interval


class Clock:
    now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(wakeup, "time", clock)
    return clock


def passes(interval: Interval, clock: Clock, until_s: float) -> list[float]:
    """When it passes, asked 64 times a second."""
    began_s, passed_s = clock.now_s, []
    while clock.now_s - began_s < until_s:
        if interval.passes():
            passed_s.append(clock.now_s - began_s)
        clock.now_s += 1 / 64
    return passed_s


def test_it_passes_at_once_and_then_once_in_its_time(clock: Clock) -> None:
    assert passes(Interval(0.25), clock, 1) == [0, 0.25, 0.5, 0.75]


def test_where_it_is_asked_on_and_on_it_passes_ever_more_rarely(clock: Clock) -> None:
    assert passes(Interval(0.25, 1), clock, 4) == [0, 0.25, 0.75, 1.75, 2.75, 3.75]


def test_after_a_pause_it_begins_anew(clock: Clock) -> None:
    interval = Interval(0.25, 1)
    passes(interval, clock, 4)
    clock.now_s += 2
    assert passes(interval, clock, 1) == [0, 0.25, 0.75]
