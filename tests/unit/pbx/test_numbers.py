"""Numbers by a location's country."""

import subprocess
import sys

import pytest

from webhooks.pbx.numbers import is_country, with_numbers


@pytest.mark.parametrize(
    ("country", "given", "e164", "national"),
    [
        ("DE", "030 12345678", "+493012345678", "030 12345678"),
        ("DE", "03012345678", "+493012345678", "030 12345678"),
        ("DE", "00493012345678", "+493012345678", "030 12345678"),
        ("DE", "+493012345678", "+493012345678", "030 12345678"),
        ("DE", "+1 (978) 555-1234", "+19785551234", "(978) 555-1234"),
        ("DE", "0171/1234567", "+491711234567", "0171 1234567"),
        ("US", "9785551234", "+19785551234", "(978) 555-1234"),
        ("US", "19785551234", "+19785551234", "(978) 555-1234"),
        ("GB", "020 7183 8750", "+442071838750", "020 7183 8750"),
        ("JP", "03-3224-9999", "+81332249999", "03-3224-9999"),
    ],
)
def test_a_number_is_written_in_e164_with_what_came_beside_it(
    country: str, given: str, e164: str, national: str
) -> None:
    assert with_numbers({"from": given, "to": "5010"}, country) == {
        "from": e164, "to": "5010", "from_raw": given, "from_national": national,
    }  # fmt: skip
    assert with_numbers({"to": given}, country)["to"] == e164


@pytest.mark.parametrize(
    "text", ["", "5010", "112", "110", "anonymous", "Queue 6400", "123456", "+49", "sip:a@b"]
)
def test_what_is_no_number_stays_as_it_came(text: str) -> None:
    event: dict[str, object] = {"from": text, "to": text, "from_name": "030 12345678"}
    assert with_numbers(event, "DE") == event


def test_without_a_country_nothing_changes_and_twice_changes_no_more() -> None:
    event: dict[str, object] = {"from": "030 12345678", "to": "5010"}
    assert with_numbers(event, "") == event
    once = with_numbers(event, "DE")
    assert with_numbers(once, "DE") == once


def test_a_country_is_one_whose_numbers_can_be_read() -> None:
    assert is_country("DE") and is_country("US")
    assert not (is_country("de") or is_country("XX") or is_country(""))


def test_a_start_does_not_load_the_library() -> None:
    code = "import sys, webhooks.pbx.numbers; sys.exit('phonenumbers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
