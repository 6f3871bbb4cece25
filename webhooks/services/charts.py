"""Bar charts of the last hours, as shapes of an SVG: where each bar stands and how high it is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from webhooks.services.stats import Hour

STEP: Final = 6  # from bar to bar, in the drawing's units
HEIGHT: Final = 32
_BAR: Final = 5  # a bar's width
_FLOOR: Final = 31  # where bars stand; y grows downwards
_TALLEST: Final = 30


class Bar(NamedTuple):
    """A rectangle; ``part`` is what it shows: delivered, failed or average."""

    part: str
    x: int
    y: float
    width: int
    height: float


class Column(NamedTuple):
    """The bars of one hour, the lowest first."""

    hour: Hour
    bars: Sequence[Bar]


@dataclass(frozen=True, slots=True)
class Chart:
    """Attempts by the hour, and how long receivers took to respond; hours without any have no column."""

    hours: Sequence[Hour]
    attempts: Sequence[Column]
    response_times: Sequence[Column]
    delivered: int
    failed: int
    slowest_average_ms: float
    busiest: int

    @property
    def width(self) -> int:
        return len(self.hours) * STEP

    @property
    def height(self) -> int:
        return HEIGHT

    def paths(self) -> dict[str, str]:
        """All bars of a part as one path: a list may hold many charts."""
        shapes: dict[str, str] = {}
        for column in self.attempts:
            for bar in column.bars:
                shape = f"M{bar.x} {bar.y + bar.height:g}v-{bar.height:g}h{bar.width}v{bar.height:g}z"
                shapes[bar.part] = shapes.get(bar.part, "") + shape
        return shapes


def bar_chart(hours: Sequence[Hour]) -> Chart:
    """Draw the hours, from the left to the right."""
    busiest = max((hour.all for hour in hours), default=0)
    slowest = max((hour.average for hour in hours), default=0.0)
    return Chart(
        hours,
        attempts=[
            Column(hour, list(_stack(x, busiest, delivered=hour.delivered, failed=hour.failed)))
            for x, hour in _placed(hours)
            if hour.all
        ],
        response_times=[
            Column(hour, list(_stack(x, slowest, average=hour.average)))
            for x, hour in _placed(hours)
            if hour.average
        ],
        delivered=sum(hour.delivered for hour in hours),
        failed=sum(hour.failed for hour in hours),
        slowest_average_ms=slowest,
        busiest=busiest,
    )


def _placed(hours: Sequence[Hour]) -> Iterator[tuple[int, Hour]]:
    return ((number * STEP, hour) for number, hour in enumerate(hours))


def _stack(x: int, most: float, **parts: float) -> Iterator[Bar]:
    """Bars on top of each other; ``most`` would reach the top."""
    floor = float(_FLOOR)
    for part, value in parts.items():
        if value:
            height = round(_TALLEST * value / most, 2)
            floor = round(floor - height, 2)
            yield Bar(part, x, floor, _BAR, height)
