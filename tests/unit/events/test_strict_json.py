"""The reader of events takes what JSON is, keeps its spelling, and refuses what cannot be passed on."""

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks.errors import InvalidEvent, Unreadable
from webhooks.events.strict_json import MAX_DEPTH, MAX_DIGITS, Members, read

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
EVENTS = st.dictionaries(TEXTS, VALUES, max_size=6)
FORMS: st.SearchStrategy[dict[str, Any]] = st.builds(
    dict,
    ensure_ascii=st.booleans(),
    indent=st.none() | st.integers(0, 3),
    separators=st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", "\n:\r")]),
)


def values(members: Members) -> dict[str, Any]:
    return {key: member.value for key, member in members.items()}


def read_one(text: str) -> Members:
    members = read(text.encode())
    assert isinstance(members, dict)
    return members


def refusal(text: str) -> tuple[str, str]:
    """Where a text's first error is, and what it is."""
    with pytest.raises(InvalidEvent) as caught:
        read(text.encode())
    return caught.value.errors[0].pointer, caught.value.errors[0].detail


@given(EVENTS, FORMS)
def test_an_event_is_read_as_json_reads_it(event: dict[str, Any], form: dict[str, Any]) -> None:
    assert values(read_one(json.dumps(event, **form))) == event


@given(st.lists(EVENTS, max_size=4), FORMS)
def test_a_batch_is_read_as_json_reads_it(batch: list[dict[str, Any]], form: dict[str, Any]) -> None:
    members = read(json.dumps(batch, **form).encode())
    assert isinstance(members, list)
    assert [values(event) for event in members] == batch


@given(EVENTS, FORMS)
def test_keys_and_values_keep_their_spelling(event: dict[str, Any], form: dict[str, Any]) -> None:
    text = json.dumps(event, **form)
    at = 0
    for key, member in read_one(text).items():
        at = text.index(member.key_text, at) + len(member.key_text)
        at = text.index(member.text, at) + len(member.text)
        assert json.loads(member.key_text) == key
        assert json.loads(member.text) == event[key]


@pytest.mark.parametrize("number", ["1.10", "1E5", "-0", "0.1e-7", "12345678901234567890.0", "100"])
def test_a_number_keeps_its_spelling(number: str) -> None:
    assert read_one(f'{{"n": [ {number}]}}')["n"].text == f"[ {number}]"


@given(EVENTS | st.lists(EVENTS, max_size=3), st.integers(0, 2**32), st.integers(1, 3))
def test_of_broken_texts_nothing_is_read_that_json_would_not_read(
    document: Any, seed: int, changes: int
) -> None:
    chance = random.Random(seed)
    text = list(json.dumps(document))
    for _ in range(changes):
        at = chance.randrange(len(text) + 1)
        text[at : at + chance.randrange(3)] = chance.choice(
            ['"', ",", ":", "{", "}", "[", "]", "\\", "0", ""]
        )
    broken = "".join(text)
    try:
        members = read(broken.encode())
    except Unreadable:
        with pytest.raises(json.JSONDecodeError):
            json.loads(broken)
    except InvalidEvent:
        pass  # JSON so far, but with a value that is refused
    else:
        known = values(members) if isinstance(members, dict) else [values(event) for event in members]
        assert known == json.loads(broken)


@given(EVENTS.filter(bool), VALUES, st.data())
def test_a_key_given_twice_is_refused_in_any_spelling(
    event: dict[str, Any], value: Any, data: st.DataObject
) -> None:
    key = data.draw(st.sampled_from(sorted(event)))
    again = data.draw(st.sampled_from([json.dumps(key), json.dumps(key, ensure_ascii=False), _escaped(key)]))
    members = [f"{json.dumps(name)}:{json.dumps(event[name])}" for name in event]
    members.insert(data.draw(st.integers(0, len(members))), f"{again}:{json.dumps(value)}")
    place, what = refusal("{" + ",".join(members) + "}")
    assert (place, what) == (f"/{key.replace('~', '~0').replace('/', '~1')}", "is given twice")


def _escaped(text: str) -> str:
    units = text.encode("utf-16-be")
    return '"' + "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2)) + '"'


@pytest.mark.parametrize(
    ("text", "pointer", "says"),
    [
        ('{"a": {"b": 1, "b": 2}}', "/a", "has the key 'b' twice"),
        ('[{"a": 1}, {"a": 1, "a": 1}]', "/1/a", "is given twice"),
        ('{"a": NaN}', "/a", "holds NaN, which is no JSON number"),
        ('{"a": [-Infinity]}', "/a", "holds -Infinity, which is no JSON number"),
        ('{"a": 1e999}', "/a", "holds a number that is out of range"),
        ('{"a": "\\u0000"}', "/a", "NUL"),
        ('{"a": ["x\\ud800"]}', "/a", "half of a surrogate pair"),
        ('{"a~/": {"\\u0000": 1}}', "/a~0~1", "NUL"),
        ("[1]", "/0", "has to be an event"),
        ("17", "", "has to be an event"),
    ],
)
def test_what_cannot_be_passed_on_is_refused_where_it_stands(text: str, pointer: str, says: str) -> None:
    place, what = refusal(text)
    assert place == pointer and says in what


def test_nesting_and_long_integers_have_a_limit() -> None:
    deep = "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1)
    assert read_one(f'{{"a": {deep}}}')["a"].text == deep
    assert "nested deeper" in refusal(f'{{"a": [{deep}]}}')[1]
    assert refusal(f'[{{}}, {{"a": [{deep}]}}]')[0] == "/1"
    brackets = json.dumps("[" * 100)  # within a text they are letters
    assert read_one(f'{{"a": {brackets}}}')["a"].value == "[" * 100
    digits = "9" * MAX_DIGITS
    assert read_one(f'{{"a": -{digits}}}')["a"].text == f"-{digits}"
    assert "digits" in refusal(f'{{"a": {digits}9}}')[1]


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"a" 1}', b"{'a': 1}", b'{"a": 1} x', b"[{}", b"[{},]", b"\xff"]
)
def test_what_is_no_json_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        read(body)


@pytest.mark.parametrize(
    "text",
    [
        '{"a" 1}',
        '{"a"\n =1}',
        '{"a": 1 "b": 2}',
        '{"a":1\n\n;}',
        '{"a": 1,}',
        '{"a": 1',
        '{"a"',
        '{"a": 1]',
        "{1: 2}",
    ],
)
def test_the_place_of_what_is_no_json_is_told_as_json_tells_it(text: str) -> None:
    with pytest.raises(json.JSONDecodeError) as own:
        json.loads(text)
    with pytest.raises(Unreadable, match=rf"line {own.value.lineno}, column {own.value.colno}"):
        read(text.encode())


def test_a_byte_order_mark_is_passed_over() -> None:
    assert values(read_one('\ufeff{"a": 1}')) == {"a": 1}
