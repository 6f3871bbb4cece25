"""Courses of calls through a FreeSWITCH, each with exactly the events that it has to give."""

from collections.abc import Callable
from typing import Final

from esl_switch import DID, OUTSIDE, Leg, Switch

COURSES: Final[dict[str, tuple[Callable[[Switch], None], list[str]]]] = {}


def course(*expected: str) -> Callable[[Callable[[Switch], None]], Callable[[Switch], None]]:
    """Enter a course, with the events that it has to give (``described`` of tests/pbx/replaying.py)."""

    def enter(play: Callable[[Switch], None]) -> Callable[[Switch], None]:
        COURSES[play.__name__] = play, list(expected)
        return play

    return enter


def played(name: str) -> Switch:
    """Play a course to its end."""
    switch = Switch(name)
    COURSES[name][0](switch)
    return switch


IN: Final = f"from={OUTSIDE}"


@course(
    f"incoming_call ringing {IN} to=1001",
    f"incoming_call answered {IN} to=1001 answered_by=1001",
    f"incoming_call ended {IN} to=1001 answered_by=1001 ended_by=callee",
)
def answered_in(switch: Switch) -> None:
    a = switch.call_in(name="Zoë Müller 東")
    a.dialled = "1001"  # transfer 1001 XML default
    b = switch.dial(a, "1001")
    switch.wait(0.1)
    switch.rings(b)
    switch.wait(4)
    switch.talk(a, b)
    switch.unbridge(a, b)
    switch.hang_up(b, side="recv_bye")
    switch.hang_up(a, side="send_bye")


@course(
    "outgoing_call ringing from=1001 to=+12025550177",
    "outgoing_call answered from=1001 to=+12025550177 answered_by=+12025550177",
    "outgoing_call ended from=1001 to=+12025550177 answered_by=+12025550177 ended_by=caller",
)
def answered_out_after_early_media(switch: Switch) -> None:
    a = switch.call_from("1001", "+12025550177")
    b = switch.dial_out(a, "+12025550177")
    switch.rings(b, media=True)
    switch.rings(a, media=True)
    switch.bridge(a, b)  # the announcement is heard: nobody has answered
    switch.wait(5)
    switch.answers(b)
    switch.answers(a)
    switch.wait(20)
    switch.unbridge(a, b)
    switch.hang_up(a, side="recv_bye")
    switch.hang_up(b, side="send_bye")


@course("outgoing_call busy from=1001 to=+12025550177")
def busy(switch: Switch) -> None:
    a = switch.call_from("1001", "+12025550177")
    b = switch.dial_out(a, "+12025550177")
    switch.hang_up(b, "USER_BUSY", 17, "recv_refuse", 486)
    switch.hang_up(a, "USER_BUSY", 17, "send_refuse", originate_disposition="USER_BUSY")


@course(f"incoming_call ringing {IN} to=1001", f"incoming_call missed {IN} to=1001")
def nobody_answers(switch: Switch) -> None:
    a = switch.call_in(dialled="1001")
    b = switch.dial(a, "1001")
    switch.rings(b)
    switch.wait(30)
    switch.hang_up(b, "NO_ANSWER", 19, "send_cancel", 487)
    switch.hang_up(a, "NO_ANSWER", 19, "send_refuse", originate_disposition="NO_ANSWER")


@course(f"incoming_call ringing {IN} to=1001", f"incoming_call missed {IN} to=1001 ended_by=caller")
def caller_gives_up(switch: Switch) -> None:
    a = switch.call_in(dialled="1001")
    b = switch.dial(a, "1001")
    switch.rings(b)
    switch.wait(8)
    switch.hang_up(b, "ORIGINATOR_CANCEL", 16, "send_cancel", 487)
    switch.hang_up(a, "ORIGINATOR_CANCEL", 16, "recv_cancel", originate_disposition="ORIGINATOR_CANCEL")


@course(
    "outgoing_call ringing from=1001 to=+12025550177",
    "outgoing_call no_answer from=1001 to=+12025550177 ended_by=caller",
)
def caller_gives_up_out(switch: Switch) -> None:
    a = switch.call_from("1001", "+12025550177")
    b = switch.dial_out(a, "+12025550177")
    switch.rings(b)
    switch.wait(8)
    switch.hang_up(a, "ORIGINATOR_CANCEL", 16, "recv_cancel", originate_disposition="ORIGINATOR_CANCEL")
    switch.hang_up(b, "ORIGINATOR_CANCEL", 16, "send_cancel", 487)


@course(f"incoming_call ringing {IN} to=1001", f"incoming_call rejected {IN} to=1001")
def rejected(switch: Switch) -> None:
    a = switch.call_in(dialled="1001")
    b = switch.dial(a, "1001")
    switch.rings(b)
    switch.wait(2)
    switch.hang_up(b, "CALL_REJECTED", 21, "recv_refuse", 603)
    switch.hang_up(a, "CALL_REJECTED", 21, "send_refuse", originate_disposition="CALL_REJECTED")


@course("outgoing_call invalid from=1001 to=+12025550177")
def unknown_number(switch: Switch) -> None:
    a = switch.call_from("1001", "+12025550177")
    b = switch.dial_out(a, "+12025550177")
    switch.hang_up(b, "UNALLOCATED_NUMBER", 1, "recv_refuse", 404)
    switch.hang_up(a, "UNALLOCATED_NUMBER", 1, "send_refuse", originate_disposition="UNALLOCATED_NUMBER")


@course("outgoing_call invalid from=1001 to=7777777")
def number_that_the_dialplan_lacks(switch: Switch) -> None:
    a = switch.call_from("1001", "7777777")
    switch.hang_up(a, "NO_ROUTE_DESTINATION", 3, "send_refuse")


@course(f"incoming_call not_available {IN} to=1001")
def phone_is_not_registered(switch: Switch) -> None:
    a = switch.call_in(dialled="1001")  # user/1001 has no contact: no leg comes about
    switch.hang_up(a, "USER_NOT_REGISTERED", 20, "send_refuse", originate_disposition="USER_NOT_REGISTERED")


@course("outgoing_call blocked from=1001 to=+12025550177")
def forbidden_by_the_network(switch: Switch) -> None:
    a = switch.call_from("1001", "+12025550177")
    b = switch.dial_out(a, "+12025550177")
    switch.hang_up(b, "CALL_REJECTED", 21, "recv_refuse", 403)
    switch.hang_up(a, "CALL_REJECTED", 21, "send_refuse", originate_disposition="CALL_REJECTED")


@course(
    f"incoming_call ringing {IN} to=support queue=support",
    f"incoming_call answered {IN} to=1002 queue=support answered_by=1002",
    f"incoming_call ended {IN} to=1002 queue=support answered_by=1002 ended_by=caller",
)
def queue_where_the_second_agent_answers(switch: Switch) -> None:
    a = switch.call_in(dialled="5000")
    switch.answers(a)
    switch.queue("member-queue-start", a)
    first = switch.ring_agent(a, "1001")
    switch.rings(first)
    switch.wait(10)
    switch.hang_up(first, "NO_ANSWER", 19, "send_cancel", 487)
    second = switch.ring_agent(a, "1002")
    switch.rings(second)
    switch.wait(3)
    switch.answers(second)
    switch.queue("bridge-agent-start", a, second)
    switch.bridge(a, second)
    switch.wait(30)
    switch.unbridge(a, second)
    switch.hang_up(a, side="recv_bye")
    switch.queue("bridge-agent-end", a, second)
    switch.hang_up(second, side="send_bye")
    switch.queue("member-queue-end", a)


@course(
    f"incoming_call ringing {IN} to=support queue=support",
    f"incoming_call missed {IN} to=support queue=support ended_by=caller",
)
def queue_that_the_caller_leaves(switch: Switch) -> None:
    a = switch.call_in(dialled="5000")
    switch.answers(a)
    switch.queue("member-queue-start", a)
    switch.wait(40)
    switch.hang_up(a, side="recv_bye")
    switch.queue("member-queue-end", a)


@course(
    f"incoming_call ringing {IN} to=2000",
    f"incoming_call answered {IN} to=1002 answered_by=1002",
    f"incoming_call ended {IN} to=1002 answered_by=1002 ended_by=caller",
)
def ring_group(switch: Switch) -> None:
    a = switch.call_in()
    a.dialled = "2000"
    legs = [switch.dial(a, number) for number in ("1001", "1002", "1003")]
    for leg in legs:
        switch.rings(leg)
    switch.wait(3)
    switch.hang_up(legs[2], "CALL_REJECTED", 21, "recv_refuse", 603)
    switch.answers(legs[1])
    switch.hang_up(legs[0], "LOSE_RACE", 16, "send_cancel", 487)
    switch.answers(a)
    switch.bridge(a, legs[1])
    switch.wait(5)
    switch.hang_up(a, side="recv_bye")
    switch.hang_up(legs[1], side="send_bye")


@course(f"incoming_call ringing {IN} to=2000", f"incoming_call missed {IN} to=2000")
def ring_group_where_one_is_busy_and_one_rings_out(switch: Switch) -> None:
    a = switch.call_in()
    a.dialled = "2000"
    one, two = switch.dial(a, "1001"), switch.dial(a, "1002")
    switch.rings(two)
    switch.hang_up(one, "USER_BUSY", 17, "recv_refuse", 486)
    switch.wait(20)
    switch.hang_up(two, "NO_ANSWER", 19, "send_cancel", 487)
    switch.hang_up(a, "NO_ANSWER", 19, "send_refuse", originate_disposition="NO_ANSWER")


@course(
    f"incoming_call ringing {IN} to=1001",
    f"incoming_call answered {IN} to=1001 answered_by=1001",
    f"incoming_call ended {IN} to=1001 answered_by=1001 transferred_to=1003 ended_by=callee",
)
def blind_transfer(switch: Switch) -> None:
    a = switch.call_in(dialled="1001")
    b = switch.dial(a, "1001")
    switch.rings(b)
    switch.talk(a, b)
    switch.unbridge(a, b)
    switch.hang_up(b, "BLIND_TRANSFER", 16, "recv_bye")
    a.dialled, a.other = "1003", None
    c = switch.dial(a, "1003")
    switch.rings(c)
    switch.wait(4)
    switch.talk(a, c)
    switch.hang_up(c, side="recv_bye")
    switch.hang_up(a, side="send_bye")


@course(
    f"incoming_call ringing {IN} to=1001",
    f"incoming_call answered {IN} to=1001 answered_by=1001",
    f"incoming_call ended {IN} to=1001 answered_by=1001 transferred_to=1003 ended_by=caller related=2",
    "outgoing_call ringing from=1001 to=1003 internal=True thread=2",
    "outgoing_call answered from=1001 to=1003 internal=True answered_by=1003 thread=2",
    "outgoing_call ended from=1001 to=1003 internal=True answered_by=1003 related=1 thread=2",
)
def attended_transfer(switch: Switch) -> None:
    a = switch.call_in(dialled="1001")
    b = switch.dial(a, "1001")
    switch.rings(b)
    switch.talk(a, b)
    asks = switch.call_from("1001", "1003")
    c = switch.dial(asks, "1003")
    switch.rings(c)
    switch.talk(asks, c)
    switch.unbridge(a, b)
    switch.unbridge(asks, c)
    switch.bridge(a, c)
    switch.hang_up(b, "ATTENDED_TRANSFER", 16, "send_bye")
    switch.hang_up(asks, "ATTENDED_TRANSFER", 16, "send_bye")
    switch.wait(9)
    switch.hang_up(a, side="recv_bye")
    switch.hang_up(c, side="send_bye")


@course(
    "outgoing_call ringing from=1001 to=1002 internal=True",
    "outgoing_call answered from=1001 to=1002 internal=True answered_by=1002",
    "outgoing_call ended from=1001 to=1002 internal=True answered_by=1002 transferred_to=1003 "
    "ended_by=callee",
)
def caller_hands_the_called_one_on(switch: Switch) -> None:
    a = switch.call_from("1001", "1002")
    b = switch.dial(a, "1002")
    switch.rings(b)
    switch.talk(a, b)
    switch.unbridge(a, b)
    switch.hang_up(a, "BLIND_TRANSFER", 16, "recv_bye")
    b.other = None
    c = switch.dial(b, "1003")
    switch.rings(c)
    switch.talk(b, c)
    switch.hang_up(c, side="recv_bye")
    switch.hang_up(b, side="send_bye")


@course(
    f"incoming_call ringing {IN} to=1001",
    f"voicemail None {IN} to=1001",
    f"incoming_call missed {IN} to=1001 ended_by=caller",
)
def voicemail(switch: Switch) -> None:
    a = switch.call_in(dialled="1001")
    b = switch.dial(a, "1001")
    switch.rings(b)
    switch.wait(20)
    switch.hang_up(b, "NO_ANSWER", 19, "send_cancel", 487)
    switch.answers(a)  # by the mailbox
    switch.wait(10)
    switch.leave_message(a, "1001")
    switch.hang_up(a, side="recv_bye", originate_disposition="NO_ANSWER")


@course(
    f"incoming_call ringing {IN} to=1001",
    f"incoming_call answered {IN} to=1001 answered_by=1001",
    f"call_recording None {IN} to=1001",
    f"incoming_call ended {IN} to=1001 answered_by=1001 ended_by=caller",
)
def recording(switch: Switch) -> None:
    a = switch.call_in(dialled="1001")
    b = switch.dial(a, "1001")
    switch.rings(b)
    switch.talk(a, b, 60)
    switch.record(a, "/var/lib/freeswitch/recordings/2026-11-28-09-00-00_1001.wav", 60)
    switch.hang_up(a, side="recv_bye")
    switch.hang_up(b, side="send_bye")


@course(
    f"incoming_call ringing {IN} to=2000",
    f"incoming_call answered {IN} to=1001 answered_by=1001",
    f"incoming_call ended {IN} to=1001 answered_by=1001 ended_by=callee",
)
def forking_to_phones_behind_loopbacks(switch: Switch) -> None:
    a = switch.call_in()
    a.dialled = "2000"
    outer, inner = switch.loop(a, "1001")
    other_outer, other_inner = switch.loop(a, "1002")
    switch.wait(0.05)
    one, two = switch.dial(inner, "1001"), switch.dial(other_inner, "1002")
    switch.rings(one)
    switch.rings(two)
    switch.wait(3)
    switch.answers(one)
    switch.answers(inner)
    switch.bridge(inner, one)
    switch.answers(outer)
    switch.answers(a)
    switch.bridge(a, outer)
    switch.hang_up(other_outer, "LOSE_RACE", 16)
    switch.hang_up(other_inner, "ORIGINATOR_CANCEL", 16)
    switch.hang_up(two, "ORIGINATOR_CANCEL", 16, "send_cancel", 487)
    switch.wait(6)
    switch.hang_up(one, side="recv_bye")
    switch.hang_up(inner)
    switch.hang_up(outer)
    switch.hang_up(a, side="send_bye")


@course(f"incoming_call missed {IN} to={DID} ended_by=caller")
def loopback_into_a_menu(switch: Switch) -> None:
    a = switch.call_in()
    outer, inner = switch.loop(a, "9000")
    switch.answers(inner)  # by the menu: nobody has answered
    switch.answers(outer)
    switch.answers(a)
    switch.bridge(a, outer)
    switch.wait(12)
    switch.hang_up(a, side="recv_bye")
    switch.hang_up(outer)
    switch.hang_up(inner)


@course(
    f"incoming_call ringing {IN} to=1001",
    f"incoming_call answered {IN} to=1005 answered_by=1005",
    f"incoming_call ended {IN} to=1005 answered_by=1005 ended_by=caller",
)
def pick_up(switch: Switch) -> None:
    a = switch.call_in(dialled="1001")
    b = switch.dial(a, "1001")
    switch.rings(b)
    switch.wait(3)
    taker = switch.call_from("1005", "*8")
    switch.answers(taker)
    switch.hang_up(b, "PICKED_OFF", 16, "send_cancel", 487)
    switch.answers(a)
    switch.bridge(a, taker)
    switch.wait(7)
    switch.hang_up(a, side="recv_bye")
    switch.hang_up(taker, side="send_bye")


@course(
    "outgoing_call ringing from=1001 to=+12025550177",
    "outgoing_call answered from=1001 to=+12025550177 answered_by=+12025550177",
    "outgoing_call ended from=1001 to=+12025550177 answered_by=+12025550177 ended_by=caller",
)
def click_to_call(switch: Switch) -> None:
    uid = switch.uid()
    a = Leg(
        uid,
        "sofia/internal/1001@198.51.100.9:5060",
        True,
        "0000000000",
        "",
        "1001",
        "default",
        switch.now,
        uid,
        variables={"dialed_user": "1001"},
    )
    switch._create(a)
    switch.rings(a)
    switch.wait(2)
    switch.answers(a)
    b = switch.dial_out(a, "+12025550177")
    switch.rings(b)
    switch.wait(2)
    switch.talk(a, b)
    switch.hang_up(a, side="recv_bye")
    switch.hang_up(b, side="send_bye")


@course()
def mailbox_is_asked_for(switch: Switch) -> None:
    a = switch.call_from("1001", "*97")
    switch.answers(a)
    switch.wait(20)
    switch.hang_up(a, side="recv_bye")
