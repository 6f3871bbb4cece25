"""A broken connection, a restart, a call that nobody ends: each call has one end, marked where concluded."""

from datetime import timedelta
from functools import cache
from itertools import chain
from typing import Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pbx.replaying import (
    BEGIN,
    LAB,
    Event,
    Fields,
    Timed,
    lab_recordings,
    messages,
    old_recordings,
    options,
    translate,
)

from webhooks.pbx.asterisk import AsteriskOptions, Translator

_ALL: Final = {name: path for name, path in chain(lab_recordings(), old_recordings()) if "404" not in name}
_SNAPSHOT: Final = ("Channel", "ChannelState", "CallerIDNum", "CallerIDName", "Context", "Exten", "Linkedid")


class Switchboard:
    """What Asterisk would list: its channels, as the messages so far leave them."""

    def __init__(self) -> None:
        self._channels: dict[str, dict[str, str]] = {}

    def see(self, fields: Fields) -> None:
        message = dict(fields)
        uid, name = message.get("Uniqueid", ""), message.get("Event")
        if name == "Newchannel":
            self._channels[uid] = {}
        for prefix in ("", "Dest"):
            known = self._channels.get(message.get(f"{prefix}Uniqueid", ""))
            if known is not None:
                shown = {key: message[f"{prefix}{key}"] for key in _SNAPSHOT if f"{prefix}{key}" in message}
                known.update(shown)
        if name == "Newexten" and uid in self._channels:
            self._channels[uid] |= {
                "Application": message["Application"],
                "ApplicationData": message["AppData"],
            }
        if name in ("BridgeEnter", "BridgeLeave") and uid in self._channels:
            self._channels[uid]["BridgeId"] = message["BridgeUniqueid"] if name == "BridgeEnter" else ""
        if name == "Hangup":
            self._channels.pop(uid, None)

    def listed(self) -> list[Fields]:
        """The answers to CoreShowChannels, the last one included."""
        shown = [
            [("Event", "CoreShowChannel"), ("Uniqueid", uid), *channel.items()]
            for uid, channel in self._channels.items()
        ]
        return [*shown, [("Event", "CoreShowChannelsComplete")]]


@cache
def _stream(name: str) -> list[Timed]:
    return messages(_ALL[name])


def _with_gap(name: str, first: int, last: int) -> list[Event]:
    """What comes out if messages ``first`` to ``last`` are lost with the connection, and it is made again."""
    translator, board, events = Translator(options(_ALL[name])), Switchboard(), []
    stream = _stream(name)
    for index, (at, fields) in enumerate([*stream, (stream[-1][0], [("Event", "none")])]):
        if index == last:
            events += translator.feed([("Event", "FullyBooted")], at)
            for answer in board.listed():
                events += translator.feed(answer, at)
        board.see(fields)
        if not first <= index < last:
            events += translator.feed(fields, at)
    return events + translator.lost(BEGIN + timedelta(hours=1))


def _threads(events: list[Event]) -> dict[object, list[Event]]:
    threads: dict[object, list[Event]] = {}
    for event in events:
        threads.setdefault(event["thread_id"], []).append(event)
    return threads


@given(name=st.sampled_from(sorted(_ALL)), begin=st.floats(0, 1), length=st.floats(0, 1))
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_gap_leaves_each_call_one_end_and_marks_what_was_concluded(
    name: str, begin: float, length: float
) -> None:
    stream = _stream(name)
    first = int(begin * len(stream))
    whole = _threads(translate(Translator(options(_ALL[name])), stream))
    for thread, own in _threads(_with_gap(name, first, first + int(length * (len(stream) - first)))).items():
        subtypes = [event["subtype"] for event in own]
        assert subtypes[:-1] in ([], ["ringing"], ["answered"], ["ringing", "answered"])
        assert (subtypes[-1] == "ended") == ("answered" in subtypes)
        assert subtypes[-1] == whole[thread][-1]["subtype"] or own[-1]["reconstructed"]


@given(name=st.sampled_from(sorted(_ALL)), at=st.floats(0, 1))
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_connection_that_is_made_anew_without_a_loss_changes_nothing(name: str, at: float) -> None:
    cut = int(at * len(_stream(name)))
    marked = ("reconstructed", "timestamp", "ring_seconds", "talk_seconds")
    seen = [
        {key: value for key, value in event.items() if key not in marked}
        for events in (_with_gap(name, cut, cut), translate(Translator(options(_ALL[name])), _stream(name)))
        for event in sorted(events, key=lambda event: (str(event["thread_id"]), str(event["sequence"])))
    ]
    assert seen[: len(seen) // 2] == seen[len(seen) // 2 :]


def _until(name: str, event: str, translator: Translator) -> list[Event]:
    """Feed a course of the lab up to the first message of this kind."""
    stream = messages(LAB / "22" / f"{name}.jsonl.gz")
    end = next(index for index, (_, fields) in enumerate(stream) if ("Event", event) in fields)
    return translate(translator, stream[: end + 1])


def _kinds(events: list[Event]) -> list[tuple[object, object]]:
    return [(event["subtype"], event.get("reconstructed")) for event in events]


def test_a_crash_of_asterisk_ends_the_calls_once_it_is_back() -> None:
    translator = Translator(AsteriskOptions())
    assert _kinds(_until("answered_caller_ends", "HangupRequest", translator)) == [
        ("ringing", None),
        ("answered", None),
    ]
    back = BEGIN + timedelta(seconds=30)
    assert translator.feed([("Event", "FullyBooted")], back) == []
    ended = translator.feed([("Event", "CoreShowChannelsComplete")], back)
    assert _kinds(ended) == [("ended", True)]
    assert ended[0]["timestamp"] == "2026-11-25T17:00:30.000000Z"
    assert translator.resync([], back) == translator.lost(back) == []


def test_a_call_that_was_answered_in_the_gap_is_told_of() -> None:
    translator, board = Translator(AsteriskOptions()), Switchboard()
    stream = messages(LAB / "22" / "answered_caller_ends.jsonl.gz")
    bridged = [n for n, (_, fields) in enumerate(stream) if ("Event", "BridgeEnter") in fields][-1]
    rings = next(n for n, (_, fields) in enumerate(stream) if ("Event", "DialBegin") in fields)
    for _, fields in stream[: bridged + 1]:
        board.see(fields)
    assert _kinds(translate(translator, stream[: rings + 1])) == [("ringing", None)]
    translator.cut()
    assert _kinds(translator.resync(board.listed()[:-1], BEGIN)) == [("answered", True)]
    assert _kinds(translate(translator, stream[bridged + 1 :])) == [("ended", None)]


def test_a_call_that_was_there_before_us_is_taken_up() -> None:
    """A translator that begins in mid-call says no ``ringing`` of what is answered already."""
    board = Switchboard()
    stream = messages(LAB / "22" / "outbound_answered.jsonl.gz")
    bridged = [n for n, (_, fields) in enumerate(stream) if ("Event", "BridgeEnter") in fields][-1]
    for _, fields in stream[: bridged + 1]:
        board.see(fields)
    translator = Translator(AsteriskOptions())
    events = translator.resync(board.listed()[:-1], BEGIN) + translate(translator, stream[bridged + 1 :])
    assert _kinds(events) == [("answered", True), ("ended", None)]
    assert {(event["type"], event["from"], event["to"]) for event in events} == {
        ("outgoing_call", "5010", "+12025550188")
    }


def test_a_channel_that_was_made_while_the_list_came_is_there() -> None:
    translator = Translator(AsteriskOptions())
    translator.feed([("Event", "FullyBooted")], BEGIN)
    _until("answered_caller_ends", "BridgeEnter", translator)
    assert translator.resync([], BEGIN) == []
    assert len(translator.lost(BEGIN)) == 1


def test_a_call_open_beyond_12_hours_is_closed_once() -> None:
    translator = Translator(AsteriskOptions())
    stream = messages(LAB / "22" / "no_answer.jsonl.gz")
    rings = next(n for n, (_, fields) in enumerate(stream) if ("Event", "DialBegin") in fields)
    translate(translator, stream[: rings + 1])
    assert translator.tick(BEGIN + timedelta(hours=12)) == []
    assert _kinds(translator.tick(BEGIN + timedelta(hours=12, minutes=1))) == [("missed", True)]
    assert translator.tick(BEGIN + timedelta(hours=13)) == []
    assert translate(translator, stream[rings + 1 :]) == []  # its end came after all


def test_a_translator_keeps_nothing_of_closed_calls() -> None:
    translator = Translator(AsteriskOptions())
    for name in ("answered_caller_ends", "attended_transfer", "pickup_group", "ring_group_by_local"):
        translate(translator, messages(LAB / "22" / f"{name}.jsonl.gz"))
    later = BEGIN + timedelta(minutes=3)
    translate(translator, [(later, fields) for _, fields in messages(LAB / "22" / "busy.jsonl.gz")])
    linkedids = {
        value
        for _, fields in messages(LAB / "22" / "pickup_group.jsonl.gz")
        for key, value in fields
        if key == "Uniqueid"
    }
    assert linkedids and all(translator.parties_of(uid) is None for uid in linkedids)
