"""Figures and how they are written."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that so many percent of all do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


@dataclass(frozen=True)
class Latency:
    """Milliseconds, of ``count`` samples."""

    count: int
    p50: float
    p99: float

    @classmethod
    def of(cls, milliseconds: Sequence[float]) -> "Latency":
        return cls(len(milliseconds), percentile(milliseconds, 50), percentile(milliseconds, 99))

    def __str__(self) -> str:
        return f"p50 {ms(self.p50)}, p99 {ms(self.p99)}"


def median_of(rounds: int, measure: Callable[[], float]) -> float:
    """The median of several measurements: one disturbed by another process does not count."""
    return statistics.median(measure() for _ in range(rounds))


def sustained(arrivals_ns: Sequence[int], since_ns: int = 0) -> float:
    """Arrivals a second, from ``since_ns`` or the first arrival to the last one."""
    counted = sorted(at for at in arrivals_ns if at >= since_ns)
    begin = since_ns or counted[0]
    return len(counted) / ((counted[-1] - begin) / 1e9)


def rate(per_second: float) -> str:
    return f"{per_second:,.0f}/s"


def ms(milliseconds: float) -> str:
    return f"{milliseconds:.2f} ms" if milliseconds < 1 else f"{milliseconds:.1f} ms"


def times(ratio: float) -> str:
    return f"{ratio:.2f}×"
