"""3CX: what the journal of its CRM template becomes."""

import json
from typing import Any

import pytest
from pbx_courses import told

from webhooks.errors import InvalidEvent
from webhooks.pbx.body import read_object
from webhooks.pbx.threecx import translate
from webhooks.pbx.unknown import UnknownWord

BASE = {
    "call_type": "Inbound", "number": "+493012345678", "name": "Ada Lovelace", "agent": "101",
    "agent_name": "Grace", "queue": "", "duration": "00:02:05",
    "started_at": "2026-11-24T08:00:00Z", "answered_at": "2026-11-24T08:00:07Z",
    "ended_at": "2026-11-24T08:02:12Z",
}  # fmt: skip
NO_ANSWER = {
    "duration": "00:00:00",
    "answered_at": "[CallEstablishedTimeUTC]",
    "ended_at": "2026-11-24T08:00:20Z",
}
IN, OUT = "+493012345678>101", "101>+493012345678"
ANSWERED = [
    f"incoming_call answered {IN} 08:00:07",
    f"incoming_call ended {IN} 08:02:12",
]


def lines(**changed: Any) -> list[str]:
    return told(translate(read_object(json.dumps(BASE | changed).encode())))


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param({}, ANSWERED, id="answered"),
        pytest.param(
            {"call_type": "Outbound"},
            [f"outgoing_call answered {OUT} 08:00:07", f"outgoing_call ended {OUT} 08:02:12"],
            id="answered-outgoing",
        ),
        pytest.param(
            {"call_type": "Missed", **NO_ANSWER}, [f"incoming_call missed {IN} 08:00:20"], id="no-answer"
        ),
        pytest.param(
            {"call_type": "Notanswered", **NO_ANSWER},
            [f"outgoing_call no_answer {OUT} 08:00:20"],
            id="no-answer-outgoing",
        ),
        pytest.param(
            {"call_type": "Unanswered", **NO_ANSWER},
            [f"outgoing_call no_answer {OUT} 08:00:20"],
            id="no-answer-outgoing-by-another-authors-word",
        ),
        pytest.param(
            {"call_type": "Missed", **NO_ANSWER, "ended_at": "2026-11-24T08:00:03Z"},
            [f"incoming_call missed {IN} 08:00:03"],
            id="caller-hangs-up-first",
        ),
        pytest.param(
            {"call_type": "Missed", **NO_ANSWER, "number": "", "name": "[Name]"},
            ["incoming_call missed >101 08:00:20"],
            id="number-withheld",
        ),
        pytest.param(
            {"queue": "800"},
            [f"{line} queue=800" for line in ANSWERED],
            id="queue",
        ),
        pytest.param(
            {"call_type": "Missed", **NO_ANSWER, "queue": "800", "agent": "[Agent]", "agent_name": ""},
            ["incoming_call missed +493012345678> 08:00:20 queue=800"],
            id="queue-left",
        ),
        pytest.param(
            {"agent": "102", "agent_name": "Joan"},
            [line.replace("101", "102").replace("Grace", "Joan") for line in ANSWERED],
            id="ring-group",
        ),
        pytest.param({"ended_at": "[CallEndTimeUTC]"}, ANSWERED, id="no-end-but-a-duration"),
        pytest.param({"queue": "[QueueExtension]"}, ANSWERED, id="variables-that-3cx-does-not-know"),
        pytest.param({"call_type": "INBOUND"}, ANSWERED, id="capital-letters"),
    ],
)
def test_a_course_gives_these_events(changed: dict[str, Any], expected: list[str]) -> None:
    assert lines(**changed) == expected


def test_all_fields_of_an_answered_call() -> None:
    answered, ended = translate(read_object(json.dumps(BASE).encode())).now
    thread = str(answered["thread_id"])
    common = {
        "thread_id": thread, "type": "incoming_call", "from": "+493012345678", "to": "101",
        "from_name": "Ada Lovelace", "to_name": "Grace", "answered_by": "101", "answered_by_name": "Grace",
        "ring_seconds": 7, "talk_seconds": 125,
    }  # fmt: skip
    assert answered == common | {
        "id": f"{thread}/answered", "subtype": "answered", "timestamp": "2026-11-24T08:00:07Z",
        "sequence": 2,
    }  # fmt: skip
    assert ended == common | {
        "id": f"{thread}/ended",
        "subtype": "ended",
        "timestamp": "2026-11-24T08:02:12Z",
        "sequence": 3,
    }


def test_a_repeat_is_the_same_call_and_another_call_is_not() -> None:
    def thread(**changed: str) -> object:
        return translate(read_object(json.dumps(BASE | changed).encode())).now[0]["thread_id"]

    assert thread() == thread()
    others = [
        {"started_at": "2026-11-24T08:00:01Z"},
        {"agent": "102"},
        {"number": "1"},
        {"call_type": "Outbound"},
    ]
    assert len({thread(), *(thread(**other) for other in others)}) == 5


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"call_type": "[?]"}, "/call_type"),
        ({"call_type": "Transferred", "started_at": ""}, "/started_at"),
        ({"call_type": None}, "/call_type"),
        ({"started_at": ""}, "/started_at"),
        ({"started_at": "[CallStartTimeUTC]"}, "/started_at"),
        ({"started_at": "yesterday"}, "/started_at"),
        ({"duration": "two minutes"}, "/duration"),
        ({"number": ["1"]}, "/number"),
        ({"agent": {}}, "/agent"),
    ],
)
def test_what_3cx_does_not_send_is_refused_with_the_field(changed: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidEvent) as refused:
        lines(**changed)
    assert [fault.pointer for fault in refused.value.errors] == [pointer]


def test_a_number_that_is_not_there_at_all_is_refused() -> None:
    body = {name: value for name, value in BASE.items() if name != "number"}
    with pytest.raises(InvalidEvent, match="/number is missing"):
        translate(read_object(json.dumps(body).encode()))


def test_a_new_type_of_call_is_named() -> None:
    with pytest.raises(UnknownWord, match="call_type Transferred"):
        lines(call_type="Transferred")
