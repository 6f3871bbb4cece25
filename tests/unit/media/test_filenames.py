"""A file name is shown to people as it is, and harms nobody."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.http import parse_options_header

from webhooks.media.filenames import clean, disposition

NAMES = st.text() | st.sampled_from(["..", "a/b.wav", "a\\b.WAV", ".mp3", "x.mp3.mp3", "Jürgen\u202e3pm.wav"])


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("message.wav", "message.mp3"), ("message.MP3", "message.mp3"), ("message", "message.mp3"),
        ("/var/spool/x/msg0001.WAV", "msg0001.mp3"), ("C:\\spool\\call.gsm", "call.mp3"),
        ("at 5.30", "at 5.30.mp3"), ("Call with J.Smith", "Call with J.Smith.mp3"),
        ("a.wav.ogg", "a.wav.mp3"), ("x.alaw", "x.mp3"), ("x.a-law", "x.mp3"), ("x.sln16", "x.mp3"),
        ("Jürgen ☎.ogg", "Jürgen ☎.mp3"), ("a\0b\u202ec\n.wav", "abc.mp3"), ("x" * 300, f"{'x' * 200}.mp3"),
        ("", "voicemail.mp3"), (None, "voicemail.mp3"), ("..", "voicemail.mp3"), ("/", "voicemail.mp3"),
        (".wav", "voicemail.mp3"), (" .wav", "voicemail.mp3"),
    ],
)  # fmt: skip
def test_a_name_becomes_that_of_an_mp3(name: str | None, wanted: str) -> None:
    assert clean(name, "voicemail") == wanted


@given(NAMES)
def test_a_name_is_never_a_path_and_has_no_hidden_characters(name: str) -> None:
    shown = clean(name, "voicemail")
    assert shown.endswith(".mp3") and shown.removesuffix(".mp3").strip(". ")
    assert len(shown) <= 204 and not set(shown) & set("/\\")
    assert not any(unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp") for letter in shown)


@given(NAMES)
def test_a_clean_name_stays_as_it_is(name: str) -> None:
    assert clean(clean(name, "voicemail"), "other") == clean(name, "voicemail")


@given(NAMES)
def test_a_header_carries_any_clean_name_to_every_client(name: str) -> None:
    shown = clean(name, "voicemail")
    header = disposition(shown)
    header.encode("latin-1")
    assert header.isprintable() and parse_options_header(header) == ("attachment", {"filename": shown})
