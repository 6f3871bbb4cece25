"""Framing, decoding and log-in of the manager interface."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks.errors import Invalid, PbxProblem
from webhooks.pbx.ami import MAX_MESSAGE_BYTES, Framer, action, check_banner, decode, field, login_key

STREAM = (
    "Event: Newchannel\r\nCallerIDName: Zoë: Straße 東\r\nConnectedLineNum: <unknown>\r\nExten:\r\n\r\n"
    "Response: Success\r\nPing: Pong\r\n\r\n"
    "Event: VarSet\r\nChanVariable: A=1\r\nChanVariable: B=2\r\n\r\n"
).encode()
WHOLE = Framer().feed(STREAM)


@given(st.lists(st.integers(1, len(STREAM) - 1), max_size=12))
def test_messages_do_not_depend_on_the_chunks_not_even_on_a_character_that_is_cut(cuts: list[int]) -> None:
    framer = Framer()
    places = [0, *sorted(cuts), len(STREAM)]
    messages = [raw for start, end in pairwise(places) for raw in framer.feed(STREAM[start:end])]
    assert messages == WHOLE
    assert decode(messages[0])[1] == ("CallerIDName", "Zoë: Straße 東")


def test_a_message_keeps_order_repeats_empty_values_and_colons() -> None:
    assert decode(WHOLE[2])[1:] == [("ChanVariable", "A=1"), ("ChanVariable", "B=2")]
    assert decode(WHOLE[0])[-1] == ("Exten", "")
    assert field(decode(WHOLE[1]), "ping") == "Pong"


def test_a_name_that_is_not_utf8_is_read_as_latin_1_and_the_rest_of_its_message_as_it_is() -> None:
    raw = b"Event: Newchannel\r\nCallerIDName: M\xfcller\r\nConnectedLineName: " + "Müller".encode()
    assert decode(raw)[1:] == [("CallerIDName", "Müller"), ("ConnectedLineName", "Müller")]


def test_a_nul_is_marked_because_no_event_may_have_one() -> None:
    assert decode(b"CallerIDName: a\0b") == [("CallerIDName", "a\ufffdb")]


def test_a_message_without_end_is_given_up() -> None:
    with pytest.raises(PbxProblem, match="without end"):
        Framer().feed(b"x" * (MAX_MESSAGE_BYTES + 1))


def test_no_value_of_an_action_can_begin_another_one() -> None:
    assert action("Ping", ActionID="1") == b"Action: Ping\r\nActionID: 1\r\n\r\n"
    with pytest.raises(Invalid, match="line break"):
        action("Login", Username="spoke\r\nAction: Originate")


def test_a_log_in_answers_the_challenge_as_asterisk_computes_it() -> None:
    # printf 840415273secret | md5sum
    assert login_key("840415273", "secret") == "81c3ab5534a432bec402f6d988ee45b4"


@pytest.mark.parametrize(
    ("banner", "wrong"),
    [
        ("SSH-2.0-OpenSSH_9.2", "not as an Asterisk manager interface"),
        ("Asterisk Call Manager/1.3", "too old"),
        ("Asterisk Call Manager/", "too old"),
    ],
)
def test_a_wrong_banner_is_told_in_words(banner: str, wrong: str) -> None:
    with pytest.raises(PbxProblem, match=wrong):
        check_banner(banner, "pbx:5038")


def test_versions_from_asterisk_13_on_are_taken() -> None:
    assert [check_banner(f"Asterisk Call Manager/{v}", "pbx") for v in ("2.10.6", "5.0.4", "11.0.0")] == [
        "2.10.6", "5.0.4", "11.0.0",
    ]  # fmt: skip
