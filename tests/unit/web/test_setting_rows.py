"""The settings as their page shows them."""

import pytest

from webhooks.catalogue import HIDDEN
from webhooks.settings import Settings, variable
from webhooks.web.ui.setting_rows import setting_groups, span_of


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (15.0, "15 seconds"), (1, "1 second"), (0.5, "0.5 seconds"), (60, "1 minute"),
        (5400, "1 hour 30 minutes"),
        (86_400, "1 day"), (90_061, "1 day 1 hour 1 minute 1 second"),
    ],
)  # fmt: skip
def test_a_time_is_told_in_the_units_that_people_use(seconds: float, said: str) -> None:
    assert span_of(seconds) == said


def test_every_setting_is_in_one_group_with_a_sentence() -> None:
    rows = [row for group in setting_groups(Settings()) for row in group.rows]
    assert sorted(row.variable for row in rows) == sorted(map(variable, Settings.model_fields))
    assert all(row.sentence.endswith(".") for row in rows)


def test_a_secret_is_shown_as_set_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPOKE_SECRET_KEY", "0123456789abcdef")
    rows = {row.variable: row for group in setting_groups(Settings()) for row in group.rows}
    assert (rows["SPOKE_SECRET_KEY"].value, rows["SPOKE_SECRET_KEY"].source) == (HIDDEN, "environment")
    assert (rows["SPOKE_PROXY"].value, rows["SPOKE_PROXY"].source) == ("", "default")
