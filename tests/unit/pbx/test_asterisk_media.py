"""Whose recording it is by its name; whose voicemail by the caller and the time."""

from datetime import UTC, datetime, timedelta

import pytest

from webhooks.pbx.asterisk.media import Told, call_of_message, parties_in_name

_BEGIN = datetime(2024, 11, 25, 16, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "parties"),
    [
        ("in-5010-+12025550123-20241125-161354-1732551234.57.wav", "5010 +12025550123"),
        ("out-12025550188-5010-20241125-161354-1732551234.57.WAV", "12025550188 5010"),
        ("q-400-12025550123-20241125-161354-pbx1-1732551234.57.wav", "400 12025550123"),
        ("in-5010-0-800-FLOWERS-20241125-161354-1732551234.57.wav", "5010 0-800-FLOWERS"),
    ],
)
def test_a_name_of_freepbx_tells_the_parties(name: str, parties: str) -> None:
    assert parties_in_name(name) == dict(zip(("to", "from"), parties.split(), strict=True))


def test_what_a_name_does_not_tell_is_left_out() -> None:
    assert parties_in_name("in-5010-unknown-20241125-161354-1732551234.57.wav") == {"to": "5010"}
    for other in ("", "x-1732551234.57.wav", "conf-1-2-20241125-161354-1732551234.57.wav", "in-5010-7.wav"):
        assert parties_in_name(other) == {}


def call(thread: str, *seconds: float, closed: float | None = None, called: str = "5010") -> list[Told]:
    """A call's events, so many seconds after the beginning."""
    told = [Told(thread, _BEGIN + timedelta(seconds=at), called, False) for at in seconds]
    end = [] if closed is None else [Told(thread, _BEGIN + timedelta(seconds=closed), called, True)]
    return [*told, *end]


def message(told: list[Told], begin: float = 50, end: float = 60) -> str | None:
    return call_of_message(told, "5010", _BEGIN + timedelta(seconds=begin), _BEGIN + timedelta(seconds=end))


def test_a_message_is_of_the_call_that_was_open_then() -> None:
    calls = [*call("before", 0, closed=20), *call("it", 30, closed=60.1), *call("after", 70, closed=90)]
    assert message(calls) == "it"
    assert message(call("not over yet", 30)) == "not over yet"
    assert message(call("before", 0, closed=20)) is None
    assert message(call("after", 70, closed=90)) is None
    assert message([]) is None


def test_a_call_that_found_its_extension_busy_is_told_at_its_end_alone() -> None:
    assert message(call("busy", closed=60.2)) == "busy"


def test_of_two_calls_at_once_the_one_for_the_mailbox_is_it_then_the_later() -> None:
    other, own = call("other", 45, closed=61, called="5011"), call("own", 40, closed=61)
    assert message([*other, *own]) == "own"
    assert message([*own, *call("later", 44, closed=61)]) == "later"
