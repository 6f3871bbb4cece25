"""Bars stand side by side, on top of each other, and never leave the drawing."""

import re
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from webhooks.services.charts import HEIGHT, STEP, bar_chart
from webhooks.services.stats import Hour

BEGIN = datetime(2026, 11, 24, tzinfo=UTC)
COUNTS = st.integers(0, 10**9)


def hours(*counts: tuple[int, int]) -> list[Hour]:
    return [
        Hour(BEGIN + timedelta(hours=number), delivered, failed, average=100.0 * (delivered > 0))
        for number, (delivered, failed) in enumerate(counts)
    ]


def test_the_busiest_hour_reaches_the_top_and_failures_stand_on_deliveries() -> None:
    chart = bar_chart(hours((1, 0), (0, 0), (2, 2)))
    assert (chart.width, chart.delivered, chart.failed) == (3 * STEP, 3, 2)
    first, last = chart.attempts
    assert [(bar.part, bar.x, bar.y, bar.height) for bar in first.bars] == [("delivered", 0, 23.5, 7.5)]
    assert [(bar.part, bar.x, bar.y, bar.height) for bar in last.bars] == [
        ("delivered", 12, 16, 15), ("failed", 12, 1, 15),
    ]  # fmt: skip
    assert chart.paths() == {
        "delivered": "M0 31v-7.5h5v7.5zM12 31v-15h5v15z", "failed": "M12 16v-15h5v15z",
    }  # fmt: skip


def test_hours_without_attempts_have_no_bars() -> None:
    for chart in (bar_chart([]), bar_chart(hours((0, 0), (0, 0)))):
        assert not chart.attempts and not chart.response_times and chart.paths() == {}


@given(st.lists(st.tuples(COUNTS, COUNTS), max_size=24))
def test_no_bar_leaves_the_drawing(counts: list[tuple[int, int]]) -> None:
    chart = bar_chart(hours(*counts))
    for column in [*chart.attempts, *chart.response_times]:
        for bar in column.bars:
            assert bar.x >= 0 and bar.x + bar.width <= chart.width
            assert bar.y >= 0 and bar.y + bar.height <= HEIGHT
    for path in chart.paths().values():
        assert re.fullmatch(r"(M\d+ [\d.]+v-[\d.e-]+h5v[\d.e-]+z)+", path)
