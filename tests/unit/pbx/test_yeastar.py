"""Yeastar P-Series: what its event push becomes; bodies as in the developer guide."""

import base64
import hashlib
import hmac
import json
from datetime import timedelta, timezone
from typing import Any

import pytest
from pbx_courses import short, told

from webhooks.errors import InvalidEvent
from webhooks.pbx.body import read_object
from webhooks.pbx.finished import Site, Told
from webhooks.pbx.merging import merge
from webhooks.pbx.unknown import UnknownWord
from webhooks.pbx.yeastar import is_signed, translate

SITE = Site()
RECORD = {
    "call_id": "1651057476.362", "time_start": "2022-04-27 19:04:36", "call_from": "+4930123",
    "call_to": "Leo Ball<2002>", "call_duration": 24, "talk_duration": 21, "src_trunk_name": "Provider",
    "dst_trunk_name": "", "pin_code": "", "status": "ANSWERED", "type": "Inbound", "recording": "",
    "did_number": "", "agent_ring_time": 0, "uid": "2024111913594421D77", "call_note_id": "",
    "enb_call_note": 1,
}  # fmt: skip
OUTBOUND = {"type": "Outbound", "call_from": "2002", "call_to": "+4930123", "src_trunk_name": ""}
IN, OUT = "+4930123>2002", "2002>+4930123"
ANSWERED = [f"incoming_call answered {IN} 19:04:39", f"incoming_call ended {IN} 19:05:00"]


def push(msg: object, kind: int = 30012, site: Site = SITE) -> Told:
    body = {"type": kind, "sn": "3631A2124XXX", "msg": msg}
    return translate(read_object(json.dumps(body).encode()), site)


def record(**changed: Any) -> Told:
    return push(RECORD | changed)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param({}, ANSWERED, id="answered"),
        pytest.param(
            OUTBOUND,
            [f"outgoing_call answered {OUT} 19:04:39", f"outgoing_call ended {OUT} 19:05:00"],
            id="answered-outgoing",
        ),
        pytest.param({"status": "BUSY", "talk_duration": 0}, [f"incoming_call busy {IN} 19:05:00"],
            id="busy"),
        pytest.param(OUTBOUND | {"status": "BUSY"}, [f"outgoing_call busy {OUT} 19:05:00"],
            id="busy-outgoing"),
        pytest.param({"status": "NO ANSWER"}, [f"incoming_call missed {IN} 19:05:00"], id="no-answer"),
        pytest.param({"status": "NO_ANSWER"}, [f"incoming_call missed {IN} 19:05:00"],
            id="no-answer-underline"),
        pytest.param(
            OUTBOUND | {"status": "NO ANSWER"}, [f"outgoing_call no_answer {OUT} 19:05:00"],
            id="no-answer-outgoing"
        ),
        pytest.param(
            {"status": "ABANDONED", "call_duration": 3},
            [f"incoming_call missed {IN} 19:04:39"],
            id="caller-hangs-up-first",
        ),
        pytest.param(
            OUTBOUND | {"status": "FAILED"}, [f"outgoing_call not_available {OUT} 19:05:00"],
            id="unknown-number"
        ),
        pytest.param(
            {"call_from": "anonymous"}, [line.replace("+4930123", "anonymous") for line in ANSWERED],
            id="withheld"
        ),
        pytest.param(
            {"status": "VOICEMAIL"},
            [f"incoming_call missed {IN} 19:05:00", f"voicemail {IN}"],
            id="voicemail",
        ),
        pytest.param(
            {"recording": "20220427190445-1651057476.362-4930123-2002-Inbound.wav"},
            [
                *ANSWERED,
                f"call_recording {IN} filename=20220427190445-1651057476.362-4930123-2002-Inbound.wav",
            ],
            id="recording",
        ),
        pytest.param(
            {"call_to": "IVR 6200", "talk_duration": 24}, ["incoming_call missed +4930123>6200 19:05:00"],
            id="hangs-up-in-the-menu",
        ),
        pytest.param({"type": "Internal", "call_from": "2005"}, [], id="internal"),
    ],
)  # fmt: skip
def test_a_call_record_gives_these_events(changed: dict[str, Any], expected: list[str]) -> None:
    assert told(record(**changed)) == expected
    assert told(push(json.dumps(RECORD | changed))) == expected  # msg as text, as older firmware has it
    assert told(push(RECORD | changed, 30039)) == expected


def several(*records: Told) -> list[str]:
    return short(merge([view for one in records for view in one.later]))


def test_records_of_one_call_come_to_one_answer_and_one_end() -> None:
    menu = record(call_to="IVR 6200", uid="1")
    ring_group = [record(call_to=str(number), status="NO ANSWER", uid=str(number)) for number in (2001, 2003)]
    for records in ([menu, record(), *ring_group], [*ring_group, record(), menu], [record(), record(), menu]):
        assert several(*records) == ANSWERED


def test_a_queue_that_nobody_answered_is_one_missed_call() -> None:
    tries = [record(status="NO ANSWER", uid=uid) for uid in ("1", "2")]
    assert several(record(call_to="Queue 6400"), *tries) == [
        "incoming_call missed +4930123>6400 19:05:00 queue=6400"
    ]


def test_a_transfer_is_told_with_the_end() -> None:
    second = record(call_to="Joan<2003>", time_start="2022-04-27 19:05:00", talk_duration=20, uid="2")
    assert several(second, record()) == [
        ANSWERED[0],
        f"incoming_call ended {IN} 19:05:24 transferred_to=2003",
    ]


def test_internal_calls_are_told_where_a_location_wants_them() -> None:
    message = push(RECORD | {"type": "Internal", "call_from": "2005"}, site=Site(internal=True))
    assert told(message) == [
        "outgoing_call answered 2005>2002 19:04:39 internal=True",
        "outgoing_call ended 2005>2002 19:05:00 internal=True",
    ]


def test_times_are_those_of_the_sites_zone() -> None:
    message = push(RECORD, site=Site(zone=timezone(timedelta(hours=8))))
    assert message.later[0]["timestamp"] == "2022-04-27T11:04:39Z"


def member(kind: str, status: str, **more: str) -> dict[str, Any]:
    return {kind: {"channel_id": "PJSIP/2002-0000002a", "member_status": status, "call_path": "", **more}}


TRUNK = {"from": "+4930123", "to": "493099", "trunk_name": "Provider"}
LINE = {"from": "2002", "to": "+4930123", "trunk_name": "Provider"}


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        pytest.param(
            [member("inbound", "ALERT", **TRUNK), member("extension", "RING", number="2002")],
            [f"incoming_call ringing {IN}"],
            id="ringing",
        ),
        pytest.param(
            [
                member("inbound", "ALERT", **TRUNK),
                member("extension", "RING", number="2001"),
                member("extension", "RING", number="2002"),
            ],
            ["incoming_call ringing +4930123>2001"],
            id="ring-group",
        ),
        pytest.param(
            [
                member("inbound", "ANSWERED", **TRUNK),
                member("extension", "BYE", number="2001"),
                member("extension", "ANSWER", number="2002"),
            ],
            [f"incoming_call answered {IN}"],
            id="answered",
        ),
        pytest.param([member("inbound", "ANSWERED", **TRUNK)], [], id="in-the-menu"),
        pytest.param(
            [member("inbound", "ANSWERED", **TRUNK), member("extension", "RING", number="2002")],
            [f"incoming_call ringing {IN}"],
            id="ringing-from-the-queue",
        ),
        pytest.param(
            [member("inbound", "BYE", **TRUNK), member("extension", "BYE", number="2002")], [], id="over"
        ),
        pytest.param(
            [member("extension", "ALERT", number="2002"), member("outbound", "EARLYMEDIA", **LINE)],
            [f"outgoing_call ringing {OUT}"],
            id="ringing-outgoing",
        ),
        pytest.param(
            [member("extension", "ANSWERED", number="2002"), member("outbound", "ANSWER", **LINE)],
            [f"outgoing_call answered {OUT}"],
            id="answered-outgoing",
        ),
        pytest.param(
            [member("extension", "ALERT", number="2005"), member("extension", "RING", number="2002")],
            [],
            id="internal",
        ),
    ],
)
def test_the_members_of_a_call_give_this_event(members: list[Any], expected: list[str]) -> None:
    msg = {"call_id": "1651057476.362", "members": members}
    assert told(push(msg, 30011)) == told(push(json.dumps(msg), 30011)) == expected


def test_live_events_and_records_have_the_same_ids() -> None:
    msg = {"call_id": "1651057476.362", "members": [
        member("inbound", "ANSWERED", **TRUNK), member("extension", "ANSWER", number="2002"),
    ]}  # fmt: skip
    assert push(msg, 30011).now[0]["id"] == record().later[0]["id"] == "1651057476.362/answered"


def test_an_answer_that_was_told_already_is_not_told_again() -> None:
    views = record().later
    assert short(merge(views, {("incoming_call", "ringing"), ("incoming_call", "answered")})) == ANSWERED[1:]


def test_a_flat_record_of_an_older_system_is_read_with_its_misspelt_keys() -> None:
    body = {"event": "NewCdr", "callid": "1518000", "timestart": "2018-02-07 17:37:48",
    "callfrom": "+4930123",
            "callto": "2002", "callduraction": "15", "talkduraction": "11", "status": "ANSWERED",
            "type": "Inbound"}  # fmt: skip
    message = translate(read_object(json.dumps(body).encode()), SITE)
    assert told(message) == [f"incoming_call answered {IN} 17:37:52", f"incoming_call ended {IN} 17:38:03"]
    del body["callid"]
    with pytest.raises(InvalidEvent, match="/callid is missing"):
        translate(read_object(json.dumps(body).encode()), SITE)


@pytest.mark.parametrize(
    ("kind", "known"), [(30008, True), (30013, True), (30033, True), (31999, False), (30099, False)]
)
def test_other_kinds_tell_nothing_and_only_new_ones_are_unknown(kind: int, known: bool) -> None:
    message = push('{"extension":"2002","status":"Ringing"}', kind)
    assert (message.kind, not message.unknown, message.now, message.later) == (str(kind), known, (), ())


@pytest.mark.parametrize("changed", [{"status": "EATEN"}, {"type": "Sideways"}])
def test_a_record_of_a_new_word_is_named(changed: dict[str, str]) -> None:
    ((field, word),) = changed.items()
    with pytest.raises(UnknownWord, match=f"{field} {word}"):
        push(RECORD | changed, 30012)


@pytest.mark.parametrize(
    ("kind", "msg", "pointer"),
    [
        ("soon", RECORD, "/type"),
        (30012, None, "/msg"),
        (30012, "not json", "/msg"),
        (30012, "[]", "/msg"),
        (30012, RECORD | {"call_id": ""}, "/msg/call_id"),
        (30012, RECORD | {"call_id": "1" * 151}, "/msg/call_id"),
        (30012, RECORD | {"status": "?"}, "/msg/status"),
        (30012, RECORD | {"status": "EATEN", "call_id": ""}, "/msg/call_id"),
        (30012, RECORD | {"time_start": "soon"}, "/msg/time_start"),
        (30012, RECORD | {"talk_duration": -1}, "/msg/talk_duration"),
        (30011, {"call_id": "1"}, "/msg/members"),
        (30011, {"call_id": "1", "members": [{"fax": {}}]}, "/msg/members/0"),
        (30011, {"call_id": "1", "members": [{"inbound": {}}, {"extension": {"number": "1"}}]},
         "/msg/members/1/extension/member_status"),
    ],
)  # fmt: skip
def test_what_yeastar_does_not_send_is_refused_with_the_field(
    kind: object, msg: object, pointer: str
) -> None:
    with pytest.raises(InvalidEvent) as refused:
        translate(read_object(json.dumps({"type": kind, "msg": msg}).encode()), SITE)
    assert [fault.pointer for fault in refused.value.errors] == [pointer]


def test_a_signature_is_the_bodys_own() -> None:
    body, secret = b'{"type":30008}', "0123456789abcdef0123456789abcdef"
    right = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()
    assert is_signed(body, right, secret)
    for wrong in ("", right[:-1], "é", base64.b64encode(b"x" * 32).decode()):
        assert not is_signed(body, wrong, secret)
    assert not is_signed(body + b" ", right, secret)
