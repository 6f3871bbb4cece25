"""The event socket's framing and decoding, and what the dialect keeps of it."""

import json

import pytest
from esl_courses import played
from esl_server import message, written
from hypothesis import given
from hypothesis import strategies as st

from webhooks.errors import Invalid, PbxProblem
from webhooks.pbx.esl import MAX_MESSAGE_BYTES, Framer, body, command, content_type, read_object, reply
from webhooks.pbx.freeswitch.dialect import DIALECT, KEPT

_STREAM = [
    b"Content-Type: auth/request\n\n",
    b"Content-Type: command/reply\nReply-Text: +OK accepted\n\n",
    message("api/response", b"86400\n"),
    *(written(fields) for _, fields in played("answered_in").stream),
]


@given(st.lists(st.integers(1, 400), max_size=80))
def test_the_messages_are_the_same_wherever_the_stream_is_cut(sizes: list[int]) -> None:
    framer, rest, found = Framer(), b"".join(_STREAM), []
    for size in sizes:
        found += framer.feed(rest[:size])
        rest = rest[size:]
    found += framer.feed(rest)
    assert found == _STREAM and framer.rest == b""


def test_a_body_may_hold_blank_lines_and_heads_of_messages() -> None:
    inner = message("api/response", b"a\n\nContent-Length: 9\n\n")
    assert Framer().feed(inner + _STREAM[0]) == [inner, _STREAM[0]]


@pytest.mark.parametrize("data", [b"x" * (MAX_MESSAGE_BYTES + 1), b"Content-Length: 999999999\n\n"])
def test_a_message_without_end_is_refused(data: bytes) -> None:
    with pytest.raises(PbxProblem, match="without end"):
        Framer().feed(data)


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_break_nothing(data: bytes) -> None:
    for raw in [data, *Framer().feed(data + b"\n\n")]:
        assert isinstance(content_type(raw), str) and isinstance(reply(raw), str)
        assert isinstance(read_object(body(raw)), list)
        DIALECT.listing(raw)
        DIALECT.event(raw)
        DIALECT.marks(raw)


def test_a_name_that_is_no_utf8_is_read_as_latin_1() -> None:
    raw = message(
        "text/event-json", b'{"Event-Name": "CHANNEL_CREATE", "Caller-Caller-ID-Name": "M\xfcller"}'
    )
    kept = DIALECT.event(raw)
    assert kept is not None
    assert dict(DIALECT.decode(kept))["Caller-Caller-ID-Name"] == "Müller"


def test_a_list_of_values_is_written_as_variables_have_it() -> None:
    assert read_object(b'{"variable_originated_legs": ["a;b;1", "c;d;2"]}') == [
        ("variable_originated_legs", "ARRAY::a;b;1|:c;d;2")
    ]


def test_a_password_with_a_line_break_cannot_become_a_command() -> None:
    with pytest.raises(Invalid, match="line break"):
        command("auth", "secret\n\napi shutdown")


def test_what_is_not_read_is_not_kept() -> None:
    raw = message("text/event-json", json.dumps({"Unique-ID": "a", "variable_password": "b"}).encode())
    assert DIALECT.event(raw) == b'{"Unique-ID": "a"}'
    assert not any("password" in name.lower() for name in KEPT)


@pytest.mark.parametrize(
    ("answer", "channels", "refused"),
    [
        (b'{"row_count":0}\n', 0, False),
        (b'{"row_count":1,"rows":[{"uuid":"a","call_uuid":"a","cid_name":"Zo\xc3\xab"}]}', 1, False),
        (b"-ERR no reply\n", 0, True),
        (b"-USAGE: show\n", 0, True),
    ],
)
def test_the_list_of_channels_is_told_from_other_answers(answer: bytes, channels: int, refused: bool) -> None:
    listing = DIALECT.listing(message("api/response", answer))
    assert listing is not None
    assert (len(listing.channels), listing.ends, listing.refused) == (channels, not refused, refused)
    assert DIALECT.listing(message("api/response", b"86400\n")) is None


def test_a_message_says_which_channels_belong_together() -> None:
    create, *_, hangup = (DIALECT.event(written(fields)) or b"" for _, fields in played("busy").stream)
    leg = DIALECT.event(written(played("busy").stream[1][1])) or b""
    assert DIALECT.marks(create).begins and not DIALECT.marks(create).ends
    assert DIALECT.marks(hangup).ends and DIALECT.marks(hangup).own == DIALECT.marks(create).own
    assert {DIALECT.marks(create).own, DIALECT.marks(leg).own} <= set(DIALECT.marks(leg).ids)
    row = DIALECT.marks(b'{"uuid": "a", "call_uuid": "b"}')
    assert (row.own, set(row.ids), row.begins) == (b"a", {b"a", b"b"}, True)
