"""Every recorded course gives exactly the events that a person at that desk would confirm."""

import json
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest
from pbx.replaying import (
    BEGIN,
    FOLDER,
    LAB,
    described,
    expected,
    lab_recordings,
    messages,
    old_recordings,
    options,
    translate,
)

from webhooks.events.schema import make_event
from webhooks.pbx.asterisk import AsteriskOptions, Translator

_LAB: Final = dict(lab_recordings())
_OLD: Final = dict(old_recordings())
_EXPECTED: Final = expected("lab.txt")
_EXPECTED_OLD: Final = expected("cacofonisk.txt")
_CHOICES: Final[dict[str, list[str]]] = json.loads((FOLDER / "expected" / "lab-choices.json").read_text())


def _course(path: Path) -> list[str]:
    return described(translate(Translator(options(path)), messages(path)))


def test_all_recordings_are_here() -> None:
    courses = {name for name in _LAB if "/cdr" not in name}
    assert len([name for name in courses if name.startswith("22/")]) == 65
    assert len([name for name in courses if name.startswith("16/")]) == 65
    assert len(_OLD) == len(_EXPECTED_OLD) == 31


@pytest.mark.parametrize("name", _LAB)
def test_a_course_of_the_lab_gives_its_events(name: str) -> None:
    assert _course(_LAB[name]) == _EXPECTED.get(name, _EXPECTED.get(name.split("/")[1]))


@pytest.mark.parametrize("name", _OLD)
def test_an_old_recording_gives_its_events(name: str) -> None:
    assert _course(_OLD[name]) == _EXPECTED_OLD[name]


@pytest.mark.parametrize("name", _LAB)
def test_what_a_course_gives_is_among_the_choices_of_the_lab(name: str) -> None:
    """The lab knows what its phones did; ``a|b`` is what it leaves open."""
    events = translate(Translator(options(_LAB[name])), messages(_LAB[name]))
    wanted = [line for line in _CHOICES[name.split("/")[1]] if "_call " in line]
    by_thread: dict[object, list[dict[str, object]]] = {}
    for event in events:
        by_thread.setdefault(event["thread_id"], []).append(event)
    threads: dict[str, list[str]] = {}
    for line in wanted:
        thread = next((word for word in line.split() if word.startswith("thread=")), "thread=1")
        threads.setdefault(thread, []).append(line)
    # Which of several calls begins first is chance.
    assert sorted(map(len, threads.values())) == sorted(map(len, by_thread.values()))
    for own in by_thread.values():
        assert any(_fits(own, lines) for lines in threads.values())


def _fits(events: list[dict[str, object]], lines: list[str]) -> bool:
    return len(events) == len(lines) and all(map(_is_one_of, events, lines))


def _is_one_of(event: dict[str, object], line: str) -> bool:
    words = line.removeprefix("(internal) ").split()
    fields = dict(word.split("=", 1) for word in words[2:] if not word.startswith("thread="))
    return (
        bool(event.get("internal")) == line.startswith("(internal)")
        and event["type"] == words[0]
        and event["subtype"] in words[1].split("|")
        and all(event.get(name) in value.split("|") for name, value in fields.items())
    )


@pytest.mark.parametrize("name", [*_LAB, *_OLD])
def test_a_call_has_one_closing_status_and_the_hook_takes_its_events(name: str) -> None:
    path = (_LAB | _OLD)[name]
    translator = Translator(options(path))
    events = translate(translator, messages(path))
    assert translator.lost(BEGIN + timedelta(days=1)) == []  # no call was left open
    by_thread: dict[object, list[str]] = {}
    for event in events:
        made = make_event(dict(event))
        assert made.id == event["id"] and uuid.UUID(str(event["thread_id"]))
        by_thread.setdefault(event["thread_id"], []).append(str(event["subtype"]))
    assert len({event["id"] for event in events}) == len(events)
    for subtypes in by_thread.values():
        assert subtypes[:-1] in ([], ["ringing"], ["answered"], ["ringing", "answered"])
        assert (subtypes[-1] == "ended") == ("answered" in subtypes)
        assert subtypes[-1] not in ("ringing", "answered")


def test_internal_calls_are_told_only_where_a_site_wants_them() -> None:
    stream = messages(LAB / "22" / "attended_transfer.jsonl.gz")
    lines = described(translate(Translator(AsteriskOptions()), stream))
    assert [line.split()[1] for line in lines] == ["ringing", "answered", "ended"]
    assert all(line.startswith("incoming_call") for line in lines)


def test_two_systems_never_share_a_thread() -> None:
    stream = messages(LAB / "22" / "busy.jsonl.gz")
    threads = {
        event["thread_id"]
        for source in ("one", "two", "one")
        for event in translate(Translator(AsteriskOptions(source=source)), stream)
    }
    assert len(threads) == 2


def test_the_parties_of_a_recording_are_those_of_its_call() -> None:
    stream = messages(LAB / "22" / "recorded.jsonl.gz")
    translator = Translator(AsteriskOptions())
    events = translate(translator, stream)
    leg = next(dict(fields)["Uniqueid"] for _, fields in stream if ("Exten", "s") in fields)
    assert translator.parties_of(leg) == {
        name: events[-1][name] for name in ("thread_id", "to", "from", "to_name", "from_name")
    }
    assert translator.parties_of("1.1") is None


def test_extra_fields_say_how_long_it_rang_and_was_talked_and_why_it_failed() -> None:
    def last(name: str) -> dict[str, object]:
        return translate(Translator(AsteriskOptions()), messages(LAB / "22" / f"{name}.jsonl.gz"))[-1]

    ended, declined, missed = last("answered_caller_ends"), last("declined_603"), last("voicemail_left")
    assert (ended["sequence"], ended["ring_seconds"], ended["talk_seconds"], ended["cause"]) == (
        3,
        0.4,
        1.0,
        16,
    )
    assert (declined["cause"], declined["sip_code"], declined["ring_seconds"]) == (21, 603, 0.5)
    assert "talk_seconds" not in declined and "cause" not in missed
    assert missed["ring_seconds"] == 4.0  # voicemail had the caller for longer
