"""The events are the same in whichever order, and however often, messages come that the protocol leaves open.

Asterisk promises an order among the messages of one channel only.
"""

import random
from datetime import timedelta
from functools import cache
from itertools import chain
from typing import Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pbx.replaying import (
    LAB,
    OLD,
    Event,
    Fields,
    Timed,
    described,
    lab_recordings,
    messages,
    old_recordings,
    options,
    shuffled,
    translate,
)

from webhooks.pbx.asterisk import Translator

_ALL: Final = {name: path for name, path in chain(lab_recordings(), old_recordings()) if "404" not in name}
# Within this time the stream's own threads overtake one another; what took longer had a reason to wait.
_WINDOW: Final = timedelta(milliseconds=20)
_SETTINGS: Final = settings(max_examples=60)


def channels_of(fields: Fields) -> set[str]:
    """The channels that a message is about."""
    return {value for key, value in fields if key.endswith("niqueid") and "Bridge" not in key and value}


def by_thread(events: list[Event]) -> list[list[str]]:
    """What each call gave. Which call goes first is left open."""
    threads: dict[object, list[Event]] = {}
    for event in events:
        threads.setdefault(event["thread_id"], []).append(event)
    return sorted(described(own) for own in threads.values())


@cache
def _stream(name: str) -> list[Timed]:
    return [(at, fields) for at, fields in messages(_ALL[name]) if channels_of(fields)]


@cache
def _events(name: str) -> list[list[str]]:
    return by_thread(translate(Translator(options(_ALL[name])), _stream(name)))


def _again(name: str, stream: list[Timed]) -> list[list[str]]:
    return by_thread(translate(Translator(options(_ALL[name])), stream))


@given(name=st.sampled_from(sorted(_ALL)), chance=st.randoms(use_true_random=False))
@_SETTINGS
def test_an_order_that_the_protocol_leaves_open_changes_nothing(name: str, chance: random.Random) -> None:
    assert _again(name, shuffled(_stream(name), chance, _WINDOW, channels_of)) == _events(name)


@given(name=st.sampled_from(sorted(_ALL)), chance=st.randoms(use_true_random=False))
@_SETTINGS
def test_whatever_the_order_a_call_has_one_end_at_its_end(name: str, chance: random.Random) -> None:
    """Even in orders that never come, as when a leg rings after it hung up."""
    path = _ALL[name]
    events = translate(
        Translator(options(path)), shuffled(_stream(name), chance, timedelta(days=1), channels_of)
    )
    threads: dict[object, list[object]] = {}
    for event in events:
        threads.setdefault(event["thread_id"], []).append(event["subtype"])
    for subtypes in threads.values():
        assert subtypes[:-1] in ([], ["ringing"], ["answered"], ["ringing", "answered"])
        assert (subtypes[-1] == "ended") == ("answered" in subtypes)


@given(
    name=st.sampled_from(sorted(_ALL)),
    begin=st.floats(0, 1),
    length=st.floats(0, 1),
)
@_SETTINGS
@example(name="16/forwarded_302", begin=0.0, length=0.75)  # a phone's refusal comes again during the talk
@example(name="22/park_and_retrieve", begin=0.0, length=0.96875)  # a transfer comes again after the hang-up
def test_messages_that_come_again_change_nothing(name: str, begin: float, length: float) -> None:
    stream = _stream(name)
    first = int(begin * len(stream))
    last = first + int(length * (len(stream) - first))
    assert _again(name, stream[:last] + stream[first:last] + stream[last:]) == _events(name)


@pytest.mark.parametrize("name", sorted(_ALL))
def test_every_message_twice_changes_nothing(name: str) -> None:
    assert _again(name, [message for message in _stream(name) for _ in range(2)]) == _events(name)


@pytest.mark.parametrize("name", sorted(name for name in _ALL if LAB in _ALL[name].parents))
def test_the_rights_that_the_page_asks_for_suffice(name: str) -> None:
    def is_readable(fields: Fields) -> bool:
        classes = next((value for key, value in fields if key == "Privilege"), "").split(",")
        return bool({"system", "call", "agent", "dialplan", "user"} & set(classes))

    assert _again(name, [(at, fields) for at, fields in _stream(name) if is_readable(fields)]) == _events(
        name
    )


@pytest.mark.parametrize("name", sorted(name for name in _ALL if OLD not in _ALL[name].parents))
def test_without_the_class_dialplan_a_call_still_has_its_one_end(name: str) -> None:
    stream = [(at, fields) for at, fields in _stream(name) if ("Privilege", "dialplan,all") not in fields]
    for lines in _again(name, stream):
        ends = [line.split()[1] for line in lines if line.split()[1] not in ("ringing", "answered")]
        assert len(ends) == 1 and lines[-1].split()[1] == ends[0]


def test_keys_are_read_in_any_case_and_order() -> None:
    stream = _stream("22/attended_transfer")
    other = [(at, [(key.upper(), value) for key, value in reversed(fields)]) for at, fields in stream]
    assert _again("22/attended_transfer", other) == _events("22/attended_transfer")
