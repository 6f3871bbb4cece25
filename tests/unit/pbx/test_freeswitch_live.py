"""FreeSWITCH's event socket: each course gives exactly its events, in every order that may come."""

import random
from collections.abc import Iterable
from datetime import timedelta
from functools import cache
from typing import Final

import pytest
from esl_courses import COURSES, played
from esl_switch import BEGIN, Fields, Switch, Timed
from hypothesis import given, settings
from hypothesis import strategies as st
from pbx.replaying import described, shuffled

from webhooks.events.schema import make_event
from webhooks.pbx.freeswitch import FreeswitchOptions, Translator

Event = dict[str, object]

_NAMES: Final = sorted(COURSES)
_OPTIONS: Final = FreeswitchOptions(internal_calls=True)
_WINDOW: Final = timedelta(milliseconds=20)  # within it FreeSWITCH's threads may overtake one another


def told(stream: Iterable[Timed], translator: Translator | None = None) -> list[Event]:
    """Feed a stream and return what comes out, each an event that the hook would take."""
    translator = translator or Translator(_OPTIONS)
    events = [event for at, fields in stream for event in translator.feed(fields, at)]
    for event in events:
        make_event(event)
    return events


def lines(events: Iterable[Event]) -> list[str]:
    return described({**event, "subtype": event.get("subtype")} for event in events)


def by_thread(events: Iterable[Event]) -> list[list[str]]:
    threads: dict[object, list[Event]] = {}
    for event in events:
        threads.setdefault(event["thread_id"], []).append(event)
    return sorted(lines(own) for own in threads.values())


@cache
def stream(name: str) -> list[Timed]:
    return played(name).stream


@cache
def whole(name: str) -> list[list[str]]:
    return by_thread(told(stream(name)))


@pytest.mark.parametrize("name", _NAMES)
def test_a_course_gives_exactly_its_events(name: str) -> None:
    translator = Translator(_OPTIONS)
    assert lines(told(stream(name), translator)) == COURSES[name][1]
    assert translator.lost(BEGIN + timedelta(hours=1)) == []


@pytest.mark.parametrize("name", _NAMES)
def test_without_internal_calls_they_alone_are_left_out(name: str) -> None:
    wanted = [line for line in COURSES[name][1] if "internal=True" not in line]
    events = told(stream(name), Translator(FreeswitchOptions()))
    assert [line.replace(" related=untold", "") for line in lines(events)] == [
        line.replace(" related=2", "") for line in wanted
    ]


@pytest.mark.parametrize("name", _NAMES)
def test_every_message_twice_changes_nothing(name: str) -> None:
    assert by_thread(told(each for each in stream(name) for _ in range(2))) == whole(name)


def channels_of(fields: Fields) -> set[str]:
    """The channels that a message is about: their messages come in order."""
    keys = (
        "Unique-ID",
        "Bridge-A-Unique-ID",
        "Bridge-B-Unique-ID",
        "CC-Member-Session-UUID",
        "CC-Agent-UUID",
    )
    return {value for key, value in fields if key in keys and value}


@given(name=st.sampled_from(_NAMES), chance=st.randoms(use_true_random=False))
@settings(max_examples=80)
def test_an_order_that_freeswitch_leaves_open_changes_nothing(name: str, chance: random.Random) -> None:
    assert by_thread(told(shuffled(stream(name), chance, _WINDOW, channels_of))) == whole(name)


@given(name=st.sampled_from(_NAMES), chance=st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_whatever_the_order_a_call_has_one_end_at_its_end(name: str, chance: random.Random) -> None:
    translator = Translator(_OPTIONS)
    events = told(shuffled(stream(name), chance, timedelta(days=1), channels_of), translator)
    events += translator.tick(BEGIN + timedelta(hours=2))
    assert_one_end(events)


@given(name=st.sampled_from(_NAMES), begin=st.floats(0, 1), length=st.floats(0, 1))
@settings(max_examples=80)
def test_messages_that_come_again_change_nothing(name: str, begin: float, length: float) -> None:
    messages = stream(name)
    first = int(begin * len(messages))
    last = first + int(length * (len(messages) - first))
    again = messages[:last] + messages[first:last] + messages[last:]
    assert by_thread(told(again)) == whole(name)


def assert_one_end(events: Iterable[Event]) -> None:
    threads: dict[object, list[object]] = {}
    for event in events:
        if "subtype" in event:
            threads.setdefault(event["thread_id"], []).append(event["subtype"])
    for subtypes in threads.values():
        assert subtypes[:-1] in ([], ["ringing"], ["answered"], ["ringing", "answered"])
        assert (subtypes[-1] == "ended") == ("answered" in subtypes)


class Recorder(Switch):
    """A course that knows what FreeSWITCH would list before each of its messages."""

    def __init__(self, name: str) -> None:
        self.listed: list[list[dict[str, str]]] = []
        super().__init__(name)

    def _say(self, name: str, fields: Fields) -> None:
        super()._say(name, fields)
        self.listed.append(self.rows())


@cache
def recorded(name: str) -> Recorder:
    switch = Recorder(name)
    COURSES[name][0](switch)
    return switch


def with_gap(name: str, first: int, last: int) -> list[Event]:
    """What comes out if messages ``first`` to ``last`` are lost with the connection, and it is made again."""
    switch, translator = recorded(name), Translator(_OPTIONS)
    events = told(switch.stream[:first], translator)
    at = switch.stream[max(last, 1) - 1][0]
    rows = switch.listed[last - 1] if last else []
    translator.cut()
    events += translator.resync([list(row.items()) for row in rows], at)
    events += told(switch.stream[last:], translator)
    return events + translator.lost(BEGIN + timedelta(hours=1))


@given(name=st.sampled_from(_NAMES), begin=st.floats(0, 1), length=st.floats(0, 1))
@settings(max_examples=150)
def test_a_gap_leaves_each_call_one_end(name: str, begin: float, length: float) -> None:
    count = len(stream(name))
    first = int(begin * count)
    assert_one_end(with_gap(name, first, first + int(length * (count - first))))


def _first(name: str, event: str) -> int:
    """The place of the first such message in a course."""
    return next(n for n, (_, fields) in enumerate(stream(name)) if ("Event-Name", event) in fields)


def test_a_call_that_ended_while_nobody_listened_is_closed_once_and_marked() -> None:
    bridged = next(
        n for n, (_, fields) in enumerate(stream("answered_in")) if ("Event-Name", "CHANNEL_BRIDGE") in fields
    )
    events = with_gap("answered_in", bridged + 1, len(stream("answered_in")))
    assert [(event["subtype"], event.get("reconstructed")) for event in events] == [
        ("ringing", None),
        ("answered", None),
        ("ended", True),
    ]


def test_a_call_that_was_answered_while_nobody_listened_is_answered_from_the_list() -> None:
    ringing = next(
        n
        for n, (_, fields) in enumerate(stream("answered_in"))
        if ("Event-Name", "CHANNEL_PROGRESS") in fields
    )
    bridged = next(
        n for n, (_, fields) in enumerate(stream("answered_in")) if ("Event-Name", "CHANNEL_BRIDGE") in fields
    )
    events = with_gap("answered_in", ringing + 1, bridged + 1)
    assert [(event["subtype"], event.get("reconstructed"), event.get("answered_by")) for event in events] == [
        ("ringing", None, None),
        ("answered", True, "1001"),
        ("ended", None, "1001"),
    ]


def test_what_the_events_say_beside_their_status() -> None:
    ringing, answered, ended = told(stream("answered_in"))
    assert ringing["from_name"] == "Zoë Müller 東"
    assert ringing["timestamp"] == "2026-11-28T09:00:00.102000Z"
    assert answered["ring_seconds"] == 4.0 and ended["talk_seconds"] == 10.0
    assert ended["thread_id"] == stream("answered_in")[0][1][6][1]  # the caller's own uuid
    (busy,) = told(stream("busy"))
    assert (busy["cause"], busy["sip_code"]) == (17, 486)


def test_a_recording_and_a_voicemail_name_their_file_and_belong_to_their_call() -> None:
    events = told(stream("recording"))
    kept = next(event for event in events if event["type"] == "call_recording")
    assert kept["thread_id"] == events[0]["thread_id"] and kept["recording_seconds"] == 60
    assert kept["filename"] == "2026-11-28-09-00-00_1001.wav"
    assert kept["recording_path"] == "/var/lib/freeswitch/recordings/2026-11-28-09-00-00_1001.wav"
    left = next(event for event in told(stream("voicemail")) if event["type"] == "voicemail")
    assert (left["to"], left["recording_seconds"]) == ("1001", 7)


def test_a_call_that_nobody_ends_is_closed_after_twelve_hours() -> None:
    translator = Translator(_OPTIONS)
    told(stream("answered_in")[:6], translator)
    assert translator.tick(BEGIN + timedelta(hours=11)) == []
    (ended,) = translator.tick(BEGIN + timedelta(hours=13))
    assert (ended["subtype"], ended["reconstructed"]) == ("ended", True)


def test_a_site_may_name_its_trunks_and_contexts() -> None:
    switch = Switch("site")
    a = switch.call_in("205", "1001")  # a short number, from a trunk in a context of the site's own
    a.context, a.name = "carrier", "sofia/carriers/205@192.0.2.7"
    switch.stream.clear()
    switch.tell("CHANNEL_CREATE", a)
    switch.rings(switch.dial(a, "1001"))
    (plain,) = told(switch.stream)
    assert plain["internal"] is True
    (outside,) = told(switch.stream, Translator(FreeswitchOptions(trunk_contexts=("carrier",))))
    (profile,) = told(switch.stream, Translator(FreeswitchOptions(trunks=("carriers",))))
    assert outside["type"] == profile["type"] == "incoming_call"


@given(
    st.lists(
        st.lists(
            st.tuples(
                st.sampled_from(
                    [
                        "Event-Name",
                        "Unique-ID",
                        "Other-Leg-Unique-ID",
                        "Other-Type",
                        "Channel-Call-UUID",
                        "Call-Direction",
                        "Channel-Name",
                        "Bridge-A-Unique-ID",
                        "Bridge-B-Unique-ID",
                        "variable_other_loopback_leg_uuid",
                        "variable_originating_leg_uuid",
                        "Answer-State",
                        "Event-Date-Timestamp",
                        "Event-Subclass",
                        "CC-Action",
                        "CC-Member-Session-UUID",
                    ]
                ),
                st.sampled_from(
                    [
                        "CHANNEL_CREATE",
                        "CHANNEL_BRIDGE",
                        "CHANNEL_HANGUP_COMPLETE",
                        "CUSTOM",
                        "a",
                        "b",
                        "c",
                        "outbound",
                        "inbound",
                        "loopback/1-a",
                        "loopback/1-b",
                        "answered",
                        "originator",
                        "callcenter::info",
                        "member-queue-start",
                        "9" * 30,
                        "-1",
                        "",
                    ]
                ),
            )
        ),
        max_size=30,
    )
)
@settings(max_examples=200)
def test_messages_that_no_freeswitch_sends_break_nothing(messages: list[Fields]) -> None:
    translator = Translator(_OPTIONS)
    events = told(((BEGIN, fields) for fields in messages), translator)
    assert_one_end(events + translator.lost(BEGIN + timedelta(hours=1)))
