"""What Asterisk's messages, names and causes mean, one by one."""

import pytest
from pydantic import ValidationError

from webhooks.pbx.asterisk import AsteriskOptions
from webhooks.pbx.asterisk.book import dial_target, target_number, thread_id
from webhooks.pbx.asterisk.channels import Channel
from webhooks.pbx.asterisk.message import Message
from webhooks.pbx.asterisk.outcomes import of_leg


@pytest.mark.parametrize(
    ("rules", "inside", "outside"),
    [
        (("2-6",), ["10", "5010", "123456"], ["1", "1234567", "+5010", "*97", "s", "5o10", ""]),
        (("3", "50XX"), ["201", "5010"], ["20", "6010", "50100"]),
        (("_ZNX",), ["120"], ["020", "110"]),
        ((), [], ["5010", ""]),
    ],
)
def test_internal_numbers_are_lengths_and_patterns(
    rules: tuple[str, ...], inside: list[str], outside: list[str]
) -> None:
    options = AsteriskOptions(internal_numbers=rules)
    assert all(map(options.is_internal, inside)) and not any(map(options.is_internal, outside))


@pytest.mark.parametrize("rule", ["", "6-2", "0", "2-", "16", "5.", "5010-5020", "abc", "X" * 16])
def test_a_rule_that_cannot_be_read_is_refused(rule: str) -> None:
    with pytest.raises(ValidationError, match="neither a length such as"):
        AsteriskOptions(internal_numbers=(rule,))


@pytest.mark.parametrize(
    ("dialled", "sent", "number"),
    [
        ("912025550188", "12025550188", "12025550188"),
        ("912025550188", "+12025550188", "+12025550188"),
        ("92025550188", "+12025550188", "+12025550188"),
        ("911", "911", "911"),  # an emergency number that begins with the prefix
        ("+12025550188", "+12025550188", "+12025550188"),
        ("9", "9", "9"),
        ("0301234", "+49301234", "0301234"),  # no prefix that is set
    ],
)
def test_a_prefix_is_taken_off_where_the_trunk_did_not_get_it(dialled: str, sent: str, number: str) -> None:
    assert AsteriskOptions().without_prefix(dialled, sent) == number


@pytest.mark.parametrize("context", ["from-pstn", "from-trunk-pjsip-main", "ext-did-0001", "incoming"])
def test_contexts_of_trunks_are_known(context: str) -> None:
    assert AsteriskOptions().is_trunk_context(context)
    assert not AsteriskOptions().is_trunk_context("from-internal")


@pytest.mark.parametrize(
    ("dial_string", "number"),
    [
        ("+12025550188@trunk-main", "+12025550188"),
        ("trunk/12345", "12345"),
        ("trunk/sip:+12025550188@192.0.2.1", "+12025550188"),
        ("5010/sip:5010@127.0.0.1:5060", "5010"),
        ("", ""),
    ],
)
def test_the_number_that_a_trunk_was_asked_for(dial_string: str, number: str) -> None:
    assert target_number(dial_string) == number


def test_the_first_target_of_a_dial() -> None:
    assert dial_target("PJSIP/5013,4") == dial_target("PJSIP/5013&PJSIP/5014,20,tT") == "5013"


@pytest.mark.parametrize(
    ("name", "endpoint"),
    [
        ("PJSIP/5010-00000001", "5010"),
        ("PJSIP/trunk-main-0000000a", "trunk-main"),
        ("Local/5010@from-internal-00000000;1", "5010@from-internal"),
        ("PJSIP/5010-00000001<ZOMBIE>", "5010"),
        ("OutgoingSpoolFailed", ""),
    ],
)
def test_an_endpoint_is_read_off_a_channels_name(name: str, endpoint: str) -> None:
    assert Channel("1.1", name, "1.1").endpoint == endpoint


@pytest.mark.parametrize(
    ("outcome", "cause", "sip_code", "rang", "trunk", "status"),
    [
        ("NOANSWER", 21, 603, True, False, "rejected"),  # chan_pjsip says NOANSWER for 603
        ("BUSY", 21, None, True, False, "rejected"),  # chan_sip says BUSY
        ("NOANSWER", 21, 403, False, True, "blocked"),
        ("NOANSWER", 21, 407, False, True, "not_available"),
        ("NOANSWER", 127, 607, True, True, "blocked"),
        ("NOANSWER", 1, 404, False, True, "invalid"),
        ("CHANUNAVAIL", 3, None, False, True, "invalid"),
        ("CHANUNAVAIL", 3, None, False, False, "not_available"),
        ("BUSY", 17, 486, False, False, "busy"),
        ("NOANSWER", None, None, True, False, "no_answer"),  # the ring time was over
        ("NOANSWER", 19, 480, True, False, "no_answer"),
        ("NOANSWER", 19, 480, False, False, "not_available"),
        ("NOANSWER", 18, 408, False, True, "not_available"),
        ("CONGESTION", 34, 503, False, True, "not_available"),
        ("CANCEL", 127, 500, True, False, "no_answer"),  # the caller gave up
        ("ANSWER", 16, None, True, True, "no_answer"),  # nobody pressed 1
        ("", 16, None, True, False, "no_answer"),  # picked up by another
        ("CONTINUE", 16, None, True, False, "not_available"),
    ],
)
def test_a_leg_tells_why_it_failed(
    outcome: str, cause: int | None, sip_code: int | None, rang: bool, trunk: bool, status: str
) -> None:
    leg = Channel("1.1", "PJSIP/5010-00000001", "1.1", leg_outcome=outcome, rang=rang)
    assert of_leg(leg, cause, sip_code, is_trunk=trunk) == status


def test_a_message_has_its_first_value_of_a_key_and_none_for_unknown() -> None:
    message = Message([("Key", "a"), ("KEY", "b"), ("Num", "<unknown>"), ("Cause", "0"), ("Code", "486")])
    assert (message["key"], message["num"], message["none"]) == ("a", "", "")
    assert (message.number("cause"), message.number("code"), message.number("key")) == (None, 486, None)


def test_a_thread_is_of_one_system_and_one_call() -> None:
    ids = {thread_id(source, linkedid) for source in ("a", "b") for linkedid in ("1.1", "1.2")}
    assert len(ids) == 4 and thread_id("a", "1.1") in ids
