"""What commands say: counts with their noun, times, tables."""

from datetime import UTC, datetime, timedelta, timezone

import click
import pytest

from webhooks.cli.common import counted, deliveries, moment, show_secret, table


@pytest.mark.parametrize(
    ("count", "sentence"),
    [(0, "0 held deliveries are"), (1, "1 held delivery is"), (1200, "1,200 held deliveries are")],
)
def test_a_sentence_agrees_with_its_number(count: int, sentence: str) -> None:
    assert deliveries(count, "held") == sentence


def test_a_count_has_its_noun() -> None:
    assert (counted(1, "webhook"), counted(2, "webhook")) == ("1 webhook", "2 webhooks")
    assert deliveries(2) == "2 deliveries are"


def test_a_secret_has_the_last_line_to_itself_and_quiet_nothing_else(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_secret(False, False, {}, "The key 'zapier' is added.", "s3cret")
    assert capsys.readouterr().out.splitlines()[-1].strip() == "s3cret"
    show_secret(False, True, {}, "The key 'zapier' is added.", "s3cret")
    assert capsys.readouterr().out == "s3cret\n"
    for quiet in (True, False):
        show_secret(True, quiet, {"key": "s3cret"}, "The key 'zapier' is added.", "s3cret")
        assert capsys.readouterr().out == '{\n  "key": "s3cret"\n}\n'


def test_a_time_without_a_zone_is_utc() -> None:
    assert moment("2026-11-24T08:00:00") == datetime(2026, 11, 24, 8, tzinfo=UTC)
    east = timezone(timedelta(hours=1))
    assert moment("2026-11-24T08:00:00+01:00") == datetime(2026, 11, 24, 8, tzinfo=east)
    with pytest.raises(click.BadParameter, match="write it like"):
        moment("yesterday")


def test_a_tables_columns_are_as_wide_as_their_cells(capsys: pytest.CaptureFixture[str]) -> None:
    table(False, [{"id": 1, "type": None}, {"id": 1000, "type": "voicemail"}], "No webhook yet.")
    assert capsys.readouterr().out == "id    type\n1     –\n1000  voicemail\n"
    table(False, [], "No webhook yet.")
    assert capsys.readouterr().out == "No webhook yet.\n"
