"""What is told from bytes agrees with what the translator reads."""

from hypothesis import given
from hypothesis import strategies as st

from webhooks.pbx.asterisk import AsteriskOptions, Translator
from webhooks.pbx.asterisk.wanted import EVENTS, is_wanted


def test_each_message_that_the_translator_reads_is_decoded() -> None:
    translator = Translator(AsteriskOptions())
    assert (
        set(translator._handlers) | {"FullyBooted", "CoreShowChannel", "CoreShowChannelsComplete"} == EVENTS
    )


def test_of_variables_those_are_decoded_that_the_translator_reads() -> None:
    def wanted(variable: str) -> bool:
        return is_wanted(f"Event: VarSet\r\nChannel: a\r\nVariable: {variable}\r\nValue: 1".encode())

    assert all(map(wanted, ("DIALSTATUS", "BLDEST", "FROM_DID", "__FROM_DID")))
    assert not any(map(wanted, ("DIALEDTIME", "MIXMONITOR_FILENAME", "RTPAUDIOQOS")))


def test_a_message_that_begins_otherwise_is_decoded() -> None:
    assert is_wanted(b"Privilege: call,all\r\nEvent: Hangup")
    assert is_wanted(b"Response: Success\r\nActionID: spoke-channels")


@given(st.binary())
def test_any_bytes_can_be_asked_about(raw: bytes) -> None:
    assert is_wanted(raw) in (True, False)
