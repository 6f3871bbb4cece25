"""A number is found by its digits, however it is written."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks.events.phone_numbers import number_key, numbers_in, numbers_of, spelt

NUMBERS = st.from_regex(r"[1-9][0-9]{6,14}", fullmatch=True)
SEPARATORS = st.sampled_from(["", " ", "-", ".", "/", " - ", "("])


@given(NUMBERS, st.data())
def test_separators_in_a_number_do_not_count(digits: str, data: st.DataObject) -> None:
    written = "".join(digit + data.draw(SEPARATORS) for digit in digits[:-1]) + digits[-1]
    assert number_key(written) == number_key(f"+{written}") == digits[::-1]


@given(
    NUMBERS, st.sampled_from(["sip:{}@pbx", "sip:{}:secret@pbx;user=phone", "tel:{}", "<sip:{}@[::1]:5060>"])
)
def test_an_addresss_number_is_its_user(digits: str, form: str) -> None:
    assert number_key(form.format(digits)) == digits[::-1]


@pytest.mark.parametrize(
    ("written", "keys"),
    [
        ("0019203833100", ["00133830291"]),
        ("+49 (0)30 1234567", ["76543210394"]),
        ("5010&5011", ["0105", "1105"]),
        ('"Anna Muster" <+19203833100>', ["00133830291"]),
        ("19203833100 (mobile)", ["00133830291"]),
        ("Anna Muster", ["retsumanna"]),
        ("٥٠١٠", ["0105"]),
        ("", []),
        (" , ", []),
    ],
)
def test_a_text_has_the_keys_of_its_numbers_or_of_its_name(written: str, keys: list[str]) -> None:
    assert numbers_in(written) == keys


@given(st.text())
def test_any_text_has_keys_of_bounded_length_each_once(text: str) -> None:
    keys = numbers_in(text)
    assert len(keys) == len(set(keys)) and all(0 < len(key) <= 40 for key in keys)


def test_an_event_is_found_by_both_parties_and_by_numbers_in_names() -> None:
    body = json.dumps(
        {"from": "+1 920 383 3100", "to": "5010", "from_name": "Jo 4711 mobile", "to_name": "Jo"}
    )
    assert numbers_of(body) == {"00133830291", "0105"}
    body = json.dumps({"from": "5010", "to": None, "to_name": "Desk 471100"})
    assert list(spelt(body)) == [("5010", "0105"), ("Desk 471100", "001174")]
