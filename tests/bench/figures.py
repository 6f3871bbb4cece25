"""Figures and how they are written."""

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
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


@dataclass(frozen=True)
class Spread:
    """One figure of several rounds: told as their median with their range."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        return cls(tuple(values))

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def over(self, others: "Spread") -> "Spread":
        """The ratio in each round: what disturbs a round mostly disturbs both sides of it."""
        return Spread(tuple(own / other for own, other in zip(self.values, others.values, strict=True)))

    def told(self, write: Callable[[float], str]) -> str:
        median = write(self.median)
        if len(self.values) == 1:
            return median
        return f"{median} ({write(min(self.values))} to {write(max(self.values))})"


@dataclass(frozen=True)
class Latencies:
    """A latency of several rounds."""

    rounds: tuple[Latency, ...]

    @property
    def p50(self) -> Spread:
        return Spread.of(one.p50 for one in self.rounds)

    @property
    def p99(self) -> Spread:
        return Spread.of(one.p99 for one in self.rounds)

    def __str__(self) -> str:
        return f"p50 {self.p50.told(ms)}, p99 {self.p99.told(ms)}"


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


def us(seconds: float) -> str:
    return f"{seconds * 1e6:,.0f} µs"
