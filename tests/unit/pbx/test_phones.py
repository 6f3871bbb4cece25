"""Desk phones' Action URLs and the dialplan's lines: what they become, call by call."""

from collections.abc import Sequence
from typing import Any

import pytest
from pbx_courses import short, told

from webhooks.errors import InvalidEvent
from webhooks.pbx import dialplan, phones
from webhooks.pbx.body import Body
from webhooks.pbx.finished import Event
from webhooks.pbx.merging import merge
from webhooks.pbx.unknown import UnknownWord

IN, OUT = "+4930123>5010", "5010>+4930123"


def course(*requests: str) -> list[str]:
    """What requests come to, one after the other, as ``5010 incoming``; the window is over at the end."""
    sent: list[Event] = []
    views: list[Event] = []
    so_far: set[tuple[str, str]] = set()
    for request in requests:
        number, event, *reason = request.split(maxsplit=2)
        query = {"call": "4711", "local": f"sip:{number}@pbx", "remote": "<sip:+4930123@pbx;user=phone>",
                 "name": "Ada", "reason": "".join(reason)}  # fmt: skip
        message = phones.translate(event, query, so_far)
        sent += [one for one in message.now if (str(one["type"]), str(one["subtype"])) not in so_far]
        so_far |= {(str(one["type"]), str(one["subtype"])) for one in message.now}
        views += message.later
    return short([*sent, *merge(views, so_far)])


@pytest.mark.parametrize(
    ("requests", "expected"),
    [
        pytest.param(
            ["5010 incoming", "5010 answered", "5010 ended"],
            [f"incoming_call {status} {IN}" for status in ("ringing", "answered", "ended")],
            id="answered",
        ),
        pytest.param(
            ["5010 outgoing", "5010 answered", "5010 ended"],
            [f"outgoing_call {status} {OUT}" for status in ("ringing", "answered", "ended")],
            id="answered-outgoing",
        ),
        pytest.param(
            ["5010 incoming", "5010 missed"],
            [f"incoming_call ringing {IN}", f"incoming_call missed {IN}"],
            id="no-answer",
        ),
        pytest.param(
            ["5010 incoming", "5010 ended", "5010 missed"],
            [f"incoming_call ringing {IN}", f"incoming_call missed {IN}"],
            id="caller-hangs-up-first",
        ),
        pytest.param(
            ["5010 outgoing", "5010 cancelled", "5010 ended"],
            [f"outgoing_call ringing {OUT}", f"outgoing_call no_answer {OUT}"],
            id="given-up",
        ),
        pytest.param(
            ["5010 outgoing", "5010 ended"],
            [f"outgoing_call ringing {OUT}", f"outgoing_call no_answer {OUT}"],
            id="busy-which-a-phone-cannot-tell",
        ),
        pytest.param(
            ["5010 incoming", "5010 rejected", "5010 ended"],
            [f"incoming_call ringing {IN}", f"incoming_call rejected {IN}"],
            id="rejected",
        ),
        pytest.param(
            ["5011 incoming", "5010 incoming", "5012 incoming", "5010 answered", "5011 missed",
                "5012 missed"],
            ["incoming_call ringing +4930123>5011", f"incoming_call answered {IN}"],
            id="ring-group-that-talks-still",
        ),
        pytest.param(
            ["5011 incoming", "5010 incoming", "5011 missed", "5010 answered", "5010 ended"],
            [
                "incoming_call ringing +4930123>5011",
                f"incoming_call answered {IN}",
                f"incoming_call ended {IN}",
            ],
            id="ring-group-whose-loser-tells-first",
        ),
        pytest.param(
            ["5010 incoming", "5011 incoming", "5010 missed", "5011 missed"],
            [f"incoming_call ringing {IN}", f"incoming_call missed {IN}"],
            id="ring-group-that-nobody-took",
        ),
        pytest.param(
            ["5010 incoming", "5011 incoming", "5010 rejected", "5011 answered", "5011 ended"],
            [f"incoming_call ringing {IN}", "incoming_call answered +4930123>5011",
             "incoming_call ended +4930123>5011"],
            id="rejected-and-taken-by-another",
        ),
        pytest.param(
            ["5010 incoming", '5010 missed SIP;cause=200;text="Call completed elsewhere"'],
            [f"incoming_call ringing {IN}"],
            id="taken-elsewhere",
        ),
        pytest.param(
            ["5010 incoming", "5010 incoming", "5010 answered", "5010 answered", "5010 ended", "5010 ended"],
            [f"incoming_call {status} {IN}" for status in ("ringing", "answered", "ended")],
            id="told-twice",
        ),
    ],
)  # fmt: skip
def test_a_course_gives_these_events(requests: Sequence[str], expected: list[str]) -> None:
    assert course(*requests) == expected


def test_a_variable_that_a_phone_left_as_it_stands_is_empty() -> None:
    query = {"call": "1", "local": "$local", "remote": "$remote", "name": "$display_remote"}
    assert told(phones.translate("incoming", query, ())) == ["incoming_call ringing >"]


@pytest.mark.parametrize(
    ("event", "query", "pointer"),
    [
        ("incoming", {}, "/call"),
        ("incoming", {"call": "$call-id"}, "/call"),
    ],
)
def test_what_no_phone_sends_is_refused(event: str, query: dict[str, str], pointer: str) -> None:
    with pytest.raises(InvalidEvent) as refused:
        phones.translate(event, query, ())
    assert [fault.pointer for fault in refused.value.errors] == [pointer]


CALL = {"event": "ended", "direction": "in", "uniqueid": "1732551234.57", "from": "+4930123", "to": "5010"}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"event": "ringing"}, [f"incoming_call ringing {IN}"]),
        ({"event": "answered"}, [f"incoming_call answered {IN}"]),
        (
            {"dialstatus": "ANSWER", "cause": "16"},
            [f"incoming_call answered {IN}", f"incoming_call ended {IN}"],
        ),
        ({"dialstatus": "NOANSWER", "cause": "19"}, [f"incoming_call missed {IN}"]),
        ({"dialstatus": "CANCEL", "cause": "0"}, [f"incoming_call missed {IN} ended_by=caller"]),
        ({"dialstatus": "", "cause": ""}, [f"incoming_call missed {IN}"]),
        ({"dialstatus": "BUSY", "cause": "17"}, [f"incoming_call busy {IN}"]),
        ({"dialstatus": "CHANUNAVAIL", "cause": "20"}, [f"incoming_call not_available {IN}"]),
        ({"dialstatus": "CHANUNAVAIL", "cause": "21"}, [f"incoming_call rejected {IN}"]),
        ({"dialstatus": "CONGESTION", "cause": "34"}, [f"incoming_call not_available {IN}"]),
        ({"dialstatus": "DONTCALL", "cause": ""}, [f"incoming_call blocked {IN}"]),
        ({"direction": "out", "dialstatus": "CHANUNAVAIL", "cause": "1"}, [f"outgoing_call invalid {IN}"]),
        ({"direction": "out", "dialstatus": "NOANSWER", "cause": "19"}, [f"outgoing_call no_answer {IN}"]),
    ],
)
def test_a_dialplans_lines_give_these_events(changed: dict[str, Any], expected: list[str]) -> None:
    assert told(dialplan.translate(Body(CALL | changed))) == expected


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"event": "?"}, "/event"),
        ({"direction": ""}, "/direction"),
        ({"uniqueid": ""}, "/uniqueid"),
    ],
)
def test_what_no_dialplan_sends_is_refused(changed: dict[str, str], pointer: str) -> None:
    with pytest.raises(InvalidEvent) as refused:
        dialplan.translate(Body(CALL | changed))
    assert [fault.pointer for fault in refused.value.errors] == [pointer]


def test_a_new_event_of_a_phone_is_named() -> None:
    with pytest.raises(UnknownWord, match="event eaten"):
        phones.translate("eaten", {"call": "1"}, ())


def test_a_new_word_of_a_dialplan_is_named_and_the_call_is_told_without_it() -> None:
    message = dialplan.translate(Body(CALL | {"dialstatus": "EATEN", "cause": "19"}))
    assert message.unknown == ["dialstatus EATEN"]
    assert told(message) == [f"incoming_call missed {IN}"]
    with pytest.raises(UnknownWord, match="event eaten"):
        dialplan.translate(Body(CALL | {"event": "eaten"}))
