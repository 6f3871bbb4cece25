"""Which messages a restart has to read once more."""

from webhooks.pbx.asterisk.dialect import marks
from webhooks.pbx.open_calls import OpenCalls


def message(event: str, uid: str, linkedid: str = "") -> bytes:
    return f"Event: {event}\r\nUniqueid: {uid}\r\nLinkedid: {linkedid or uid}".encode()


def test_a_call_is_open_until_its_last_channel_has_hung_up_and_a_moment_longer() -> None:
    calls = OpenCalls(marks)
    caller = calls.add(message("Newchannel", "1"), 0)
    phone = calls.add(message("Newchannel", "2", "1"), 1)
    assert caller is phone and caller is not None
    calls.add(message("Hangup", "2", "1"), 2)
    calls.over(100)
    assert calls.is_open(caller)
    calls.add(message("Hangup", "1"), 100)
    calls.over(104)
    assert calls.is_open(caller)  # its closing status may wait for what comes after
    calls.over(106)
    assert not calls.is_open(caller) and not calls


def test_calls_that_a_transfer_joins_are_one_from_then_on() -> None:
    calls = OpenCalls(marks)
    first, second = calls.add(message("Newchannel", "1"), 0), calls.add(message("Newchannel", "2"), 0)
    assert first is not second and first and second
    calls.add(b"Event: AttendedTransfer\r\nOrigTransfererUniqueid: 1\r\nSecondTransfererLinkedid: 2", 1)
    calls.add(message("Hangup", "1"), 2)
    calls.over(100)
    assert calls.is_open(first) and calls.is_open(second)


def test_a_channel_that_the_phone_system_no_longer_lists_is_over() -> None:
    calls = OpenCalls(marks)
    group = calls.add(message("Newchannel", "1"), 0)
    assert group
    calls.keep_only({b"7"}, 50)
    calls.over(60)
    assert not calls.is_open(group)


def test_what_names_no_channel_belongs_to_no_call() -> None:
    calls = OpenCalls(marks)
    assert calls.add(b"Event: PeerStatus\r\nPeer: PJSIP/5010", 0) is None
    assert not calls


def test_stray_messages_of_channels_that_nobody_saw_begin_are_not_kept() -> None:
    calls = OpenCalls(marks)
    for number in range(1000):
        calls.add(message("VarSet", str(number)), number)
    calls.over(2000)
    assert not calls
