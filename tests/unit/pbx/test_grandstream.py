"""Grandstream UCM: what its call records become, JSON or XML, one by one or nested."""

import json
from typing import Any
from xml.sax.saxutils import escape

import pytest
from pbx_courses import short, told

from webhooks.errors import InvalidEvent, Unreadable
from webhooks.pbx.finished import Site, Told
from webhooks.pbx.grandstream import read, translate
from webhooks.pbx.merging import merge

RECORD = {
    "AcctId": "1207", "accountcode": "", "src": "+19785551234", "dst": "1001", "dcontext": "from-did",
    "clid": '"Ada Lovelace" <+19785551234>', "channel": "PJSIP/trunk_1-00000001",
    "dstchannel": "PJSIP/1001-00000002", "lastapp": "Dial", "start": "2026-02-01 10:30:00",
    "answer": "2026-02-01 10:30:05", "end": "2026-02-01 10:35:10", "duration": "310", "billsec": "305",
    "disposition": "ANSWERED", "amaflags": "DOCUMENTATION", "uniqueid": "1738412400.1",
    "userfield": "Inbound", "channel_ext": "trunk", "dstchannel_ext": "1001", "service": "s",
    "caller_name": "Ada Lovelace", "recordfiles": "", "dstanswer": "1001", "session": "1738412400123456-1001",
    "action_owner": "1001", "action_type": "DIAL", "src_trunk_name": "Provider", "dst_trunk_name": "",
}  # fmt: skip
NOBODY = {"answer": "", "billsec": "0", "dstanswer": "", "dstchannel_ext": "", "end": "2026-02-01 10:30:20"}
OUTGOING = {
    "userfield": "Outbound", "src": "1001", "dst": "+19785551234", "clid": '"Grace" <1001>',
    "caller_name": "",
    "dstchannel_ext": "", "dstanswer": "", "src_trunk_name": "", "dst_trunk_name": "OutboundTrunk",
}  # fmt: skip
IN, OUT = "+19785551234>1001", "1001>+19785551234"
ANSWERED = [f"incoming_call answered {IN} 10:30:05", f"incoming_call ended {IN} 10:35:10"]


def push(body: Any, site: Site | None = None) -> Told:
    return translate(read(json.dumps(body).encode()), site or Site())


def xml(record: dict[str, Any], tag: str = "cdr") -> bytes:
    inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in record.items())
    return f'<?xml version="1.0" encoding="utf-8"?><{tag}>{inner}</{tag}>'.encode()


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param({}, ANSWERED, id="answered"),
        pytest.param(
            OUTGOING,
            [f"outgoing_call answered {OUT} 10:30:05", f"outgoing_call ended {OUT} 10:35:10"],
            id="answered-outgoing",
        ),
        pytest.param(NOBODY | {"disposition": "BUSY"}, [f"incoming_call busy {IN} 10:30:20"], id="busy"),
        pytest.param(
            OUTGOING | NOBODY | {"disposition": "BUSY"},
            [f"outgoing_call busy {OUT} 10:30:20"],
            id="busy-outgoing",
        ),
        pytest.param(
            NOBODY | {"disposition": "NO ANSWER"}, [f"incoming_call missed {IN} 10:30:20"], id="no-answer"
        ),
        pytest.param(
            OUTGOING | NOBODY | {"disposition": "NO ANSWER"},
            [f"outgoing_call no_answer {OUT} 10:30:20"],
            id="no-answer-outgoing",
        ),
        pytest.param(
            NOBODY
            | {"disposition": "NO ANSWER", "end": "2026-02-01 10:30:02", "answer": "0000-00-00 00:00:00"},
            [f"incoming_call missed {IN} 10:30:02"],
            id="caller-hangs-up-first",
        ),
        pytest.param(
            OUTGOING | NOBODY | {"disposition": "FAILED"},
            [f"outgoing_call not_available {OUT} 10:30:20"],
            id="unknown-number",
        ),
        pytest.param(
            {"src": "anonymous"},
            [line.replace("+19785551234", "anonymous") for line in ANSWERED],
            id="withheld",
        ),
        pytest.param(
            {"dst": "6500", "action_type": "QUEUE[1]", "action_owner": "6500"},
            [
                f"incoming_call answered {IN} 10:30:05 queue=6500",
                f"incoming_call ended {IN} 10:35:10 queue=6500",
            ],
            id="queue",
        ),
        pytest.param(
            {"dst": "6500", "action_type": "QUEUE[1]", "action_owner": "6500", "dstchannel": ""},
            ["incoming_call missed +19785551234>6500 10:35:10 queue=6500"],
            id="queue-left",
        ),
        pytest.param({"dst": "6400", "action_type": "RINGGROUP[3]"}, ANSWERED, id="ring-group"),
        pytest.param(
            {
                "dst": "7000",
                "action_type": "IVR[7000]",
                "dstchannel": "",
                "dstanswer": "",
                "dstchannel_ext": "",
            },
            ["incoming_call missed +19785551234>7000 10:35:10"],
            id="hangs-up-in-the-menu",
        ),
        pytest.param(
            {"action_type": "VM[1001]"},
            [f"incoming_call missed {IN} 10:35:10", f"voicemail {IN}"],
            id="voicemail",
        ),
        pytest.param(
            {"recordfiles": "2026-02/auto-1738412400-+19785551234-1001.wav@"},
            [*ANSWERED, f"call_recording {IN} filename=auto-1738412400-+19785551234-1001.wav"],
            id="recording",
        ),
        pytest.param({"userfield": ""}, ANSWERED, id="incoming-by-its-trunk"),
        pytest.param({"userfield": "Internal"}, [], id="internal"),
    ],
)
def test_a_call_record_gives_these_events(changed: dict[str, Any], expected: list[str]) -> None:
    record = RECORD | changed
    assert told(push(record)) == expected
    assert told(translate(read(xml(record)), Site())) == expected
    nested = {"cdr_root": [{"cdr": "1207", "main_cdr": record}]}
    assert told(push(nested)) == expected


def test_the_legs_of_a_call_come_to_one_answer_and_one_end() -> None:
    menu = RECORD | {"action_type": "IVR[7000]", "dst": "7000"}
    rang = RECORD | NOBODY | {"dst": "1002", "disposition": "NO ANSWER"}
    nested = {"cdr_root": [{"cdr": "1207", "main_cdr": menu, "sub_cdr_1": rang, "sub_cdr_2": RECORD}]}
    assert told(push(nested)) == ANSWERED
    one_by_one = [view for one in (rang, RECORD, menu, RECORD) for view in push(one).later]
    assert short(merge(one_by_one)) == ANSWERED
    listed = b"<cdr_root>" + b"".join(xml(one)[38:] for one in (menu, rang, RECORD)) + b"</cdr_root>"
    assert told(translate(read(listed), Site())) == ANSWERED


def test_a_transfer_is_told_with_the_end() -> None:
    second = RECORD | {
        "dst": "1002", "dstanswer": "1002", "dstchannel_ext": "1002", "start": "2026-02-01 10:35:10",
        "answer": "2026-02-01 10:35:12", "end": "2026-02-01 10:40:00", "uniqueid": "1738412700.5",
    }  # fmt: skip
    assert told(push([second, RECORD])) == [
        ANSWERED[0],
        f"incoming_call ended {IN} 10:40:00 transferred_to=1002",
    ]


def test_a_record_without_a_session_is_its_own_call() -> None:
    assert push(RECORD | {"session": ""}).later[0]["thread_id"] == "1738412400.1"


def test_the_further_fields_of_an_answered_and_of_a_missed_call() -> None:
    answered, ended = merge(push(RECORD).later)
    assert (answered["sequence"], ended["sequence"]) == (2, 3)
    assert ended["answered_by"] == "1001"
    assert (ended["ring_seconds"], ended["talk_seconds"], ended["trunk"]) == (5, 305, "Provider")
    (missed,) = merge(push(RECORD | NOBODY | {"disposition": "NO ANSWER"}).later)
    assert (missed["sequence"], missed["ring_seconds"]) == (3, 20) and "answered_by" not in missed
    (menu,) = merge(push(RECORD | {"action_type": "IVR"}).later)
    assert menu["subtype"] == "missed" and "ring_seconds" not in menu


def test_internal_calls_are_told_where_a_location_wants_them() -> None:
    message = push(RECORD | {"userfield": "Internal", "src": "1002"}, Site(internal=True))
    assert told(message)[0] == "outgoing_call answered 1002>1001 10:30:05 internal=True"


@pytest.mark.parametrize(
    ("changed", "unknown"),
    [
        ({}, []),
        ({"userfield": "EXT"}, []),
        ({"action_type": "LIFT[2]"}, ["action_type LIFT"]),
        ({"userfield": "Sideways"}, ["userfield Sideways"]),
    ],
)
def test_a_new_word_is_named_and_the_call_is_told_without_it(
    changed: dict[str, str], unknown: list[str]
) -> None:
    message = push(RECORD | changed)
    assert message.unknown == unknown
    assert told(message) == ANSWERED


def test_a_record_of_a_new_disposition_is_named_and_the_others_are_told() -> None:
    message = push([RECORD | {"disposition": "EATEN"}, RECORD])
    assert message.unknown == ["disposition EATEN"]
    assert told(message) == ANSWERED


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, ""),
        ([], ""),
        ("text", ""),
        ({"cdr_root": []}, ""),
        (RECORD | {"disposition": "?!"}, "/disposition"),
        (RECORD | {"disposition": "EATEN", "session": "", "uniqueid": ""}, "/uniqueid"),
        (RECORD | {"start": "soon"}, "/start"),
        (RECORD | {"billsec": "much"}, "/billsec"),
        (RECORD | {"src": ["1"]}, "/src"),
        (RECORD | {"session": "", "uniqueid": ""}, "/uniqueid"),
        (RECORD | {"session": "1" * 151}, "/session"),
        ({"cdr_root": [{"main_cdr": RECORD | {"end": "never"}}]}, "/cdr_root/0/main_cdr/end"),
        ([RECORD] * 201, ""),
    ],
)
def test_what_a_ucm_does_not_send_is_refused_with_the_field(body: Any, pointer: str) -> None:
    with pytest.raises(InvalidEvent) as refused:
        push(body)
    assert [fault.pointer for fault in refused.value.errors] == [pointer]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{", id="half-of-json"),
        pytest.param(b"[" * 100_000, id="json-without-a-bottom"),
        pytest.param(b"<cdr>", id="half-of-xml"),
        pytest.param(b"<a>" * 20 + b"</a>" * 20, id="xml-without-a-bottom"),
        pytest.param(b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', id="entities"),
        pytest.param(b'<?xml version="1.0" encoding="no-such"?><a/>', id="unknown-charset"),
    ],
)
def test_what_is_neither_json_nor_xml_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        read(body)
