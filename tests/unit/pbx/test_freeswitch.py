"""FreeSWITCH: what the records of mod_json_cdr become, in each of its encodings."""

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest
from pbx_courses import told

from webhooks.errors import InvalidEvent, Unreadable
from webhooks.pbx.finished import Site
from webhooks.pbx.freeswitch import read, translate

LEG = "5282f87c-368c-43a2-babd-bc63ff12dc79"
OTHER = "fa3173aa-7f5c-4e9a-9f0b-3f3c5a1d2b10"
# 1520944103 is 12:28:23 UTC.
BASE_VARIABLES = {
    "direction": "inbound", "uuid": LEG, "call_uuid": LEG, "sip_from_user": "+4930123", "sip_to_user": "1002",
    "sip_call_id": "b1ac", "hangup_cause": "NORMAL_CLEARING", "hangup_cause_q850": "16",
    "start_epoch": "1520944103", "progress_epoch": "1520944103", "answer_epoch": "0", "bridge_epoch": "0",
    "end_epoch": "1520944164", "duration": "61", "billsec": "0",
}  # fmt: skip
BRIDGED = {"answer_epoch": "1520944105", "bridge_epoch": "1520944105", "bridge_uuid": OTHER, "billsec": "59"}
INSIDE = {
    "sip_from_user": "1001", "user_name": "1001", "sip_authorized": "true",
    "sip_to_user": "+4930123", "bridge_channel": "sofia/gateway/provider/+4930123",
}  # fmt: skip
IN, OUT = "+4930123>1002", "1001>+4930123"


def profile(number: str, index: int = 1, bridged: str = "0", caller: str = "+4930123") -> dict[str, Any]:
    return {
        "dialplan": "XML", "profile_index": str(index),
        "caller_profile": {
            "username": "", "caller_id_name": "Ada", "caller_id_number": caller, "destination_number": number,
            "uuid": LEG, "context": "public", "chan_name": "sofia/external/x", "callee_id_name": "",
        },
        "times": {"created_time": "1520944103000000", "bridged_time": bridged,
        "hangup_time": "1520944164000000"},
    }  # fmt: skip


def record(
    variables: dict[str, str], *profiles: dict[str, Any], applications: Any = (), encoded: bool = False
) -> bytes:
    merged = BASE_VARIABLES | variables
    if encoded:
        merged = {name: quote(value, safe="") for name, value in merged.items()}
    return json.dumps(
        {
            "core-uuid": "61b3", "switchname": "pbx",
            "channel_data": {"state": "CS_REPORTING", "direction": "inbound"},
            "variables": merged,
            "app_log": {"applications": [{"app_name": name,
            "app_data": data} for name, data in applications]},
            "callflow": list(profiles) or [profile("1002")],
        }
    ).encode()  # fmt: skip


def lines(body: bytes, site: Site | None = None) -> list[str]:
    return told(translate(read(body), site or Site()))


def outgoing(**variables: str) -> bytes:
    return record(INSIDE | variables, profile("+4930123", caller="1001"))


ANSWERED = [f"incoming_call answered {IN} 12:28:25", f"incoming_call ended {IN} 12:29:24"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(record(BRIDGED), ANSWERED, id="answered"),
        pytest.param(
            outgoing(**BRIDGED),
            [f"outgoing_call answered {OUT} 12:28:25", f"outgoing_call ended {OUT} 12:29:24"],
            id="answered-outgoing",
        ),
        pytest.param(
            record({"hangup_cause": "USER_BUSY", "last_bridge_proto_specific_hangup_cause": "sip:486"}),
            [f"incoming_call busy {IN} 12:29:24 sip_code=486"],
            id="busy",
        ),
        pytest.param(
            outgoing(hangup_cause="USER_BUSY"), [f"outgoing_call busy {OUT} 12:29:24"], id="busy-outgoing"
        ),
        pytest.param(
            record({"hangup_cause": "NO_ANSWER"}), [f"incoming_call missed {IN} 12:29:24"], id="no-answer"
        ),
        pytest.param(
            outgoing(hangup_cause="NORMAL_CLEARING", originate_disposition="NO_ANSWER"),
            [f"outgoing_call no_answer {OUT} 12:29:24"],
            id="no-answer-outgoing",
        ),
        pytest.param(
            record({"hangup_cause": "ORIGINATOR_CANCEL", "sip_hangup_disposition": "recv_cancel"}),
            [f"incoming_call missed {IN} 12:29:24 ended_by=caller"],
            id="caller-hangs-up-first",
        ),
        pytest.param(
            record({"hangup_cause": "CALL_REJECTED", "sip_invite_failure_status": "603"}),
            [f"incoming_call rejected {IN} 12:29:24 sip_code=603"],
            id="rejected",
        ),
        pytest.param(
            outgoing(hangup_cause="CALL_REJECTED", sip_term_status="403"),
            [f"outgoing_call blocked {OUT} 12:29:24 sip_code=403"],
            id="refused-by-the-network",
        ),
        pytest.param(
            outgoing(hangup_cause="CALL_REJECTED", sip_term_status="603", sip_603plus_reason="v=analytics1;"),
            [f"outgoing_call blocked {OUT} 12:29:24 sip_code=603"],
            id="refused-by-a-filter",
        ),
        pytest.param(
            outgoing(hangup_cause="UNALLOCATED_NUMBER", sip_term_status="404"),
            [f"outgoing_call invalid {OUT} 12:29:24 sip_code=404"],
            id="unknown-number",
        ),
        pytest.param(
            outgoing(hangup_cause="NORMAL_TEMPORARY_FAILURE"),
            [f"outgoing_call not_available {OUT} 12:29:24"],
            id="trunk-down",
        ),
        pytest.param(
            record({"hangup_cause": "SUBSCRIBER_ABSENT"}),
            [f"incoming_call not_available {IN} 12:29:24"],
            id="no-phone-registered",
        ),
        pytest.param(
            record(
                {"answer_epoch": "1520944104", "cc_queue": "support@pbx", "cc_agent": "1002@pbx",
                 "cc_queue_answered_epoch": "1520944105"},
                profile("support"),
            ),
            [line + more for line, more in zip(ANSWERED, [" queue=support did=support"] * 2, strict=True)],
            id="queue",
        ),
        pytest.param(
            record({"answer_epoch": "1520944104", "cc_queue": "support@pbx"}, profile("support")),
            ["incoming_call missed +4930123>support 12:29:24 queue=support"],
            id="queue-left",
        ),
        pytest.param(
            record(
                BRIDGED,
                profile("1002", 2, "1520944105000000"),
                profile("493099", 1),
                applications=[("bridge", "user/1001@pbx,user/1002@pbx")],
            ),
            [line + " did=493099" for line in ANSWERED],
            id="ring-group",
        ),
        pytest.param(
            record(BRIDGED, profile("1003", 2, "1520944130000000"), profile("1002", 1, "1520944105000000")),
            [line + " transferred_to=1003" for line in ANSWERED],
            id="transfer",
        ),
        pytest.param(
            record({
                "answer_epoch": "1520944110", "voicemail_message_len": "7",
                "voicemail_file_path": "/var/lib/freeswitch/storage/voicemail/default/pbx/1002/msg_1.wav",
            }),
            [f"incoming_call missed {IN} 12:29:24", f"voicemail {IN} filename=msg_1.wav"],
            id="voicemail",
        ),
        pytest.param(
            record({"answer_epoch": "1520944104"}, profile("ivr")),
            ["incoming_call missed +4930123>ivr 12:29:24"],
            id="hangs-up-in-the-menu",
        ),
        pytest.param(
            record(BRIDGED, applications=[("record_session", "/rec/2018/call-1.wav"), ("bridge",
            "user/1002")]),
            [*ANSWERED, f"call_recording {IN} filename=call-1.wav"],
            id="recording",
        ),
        pytest.param(record(BRIDGED | {"call_uuid": OTHER}), [], id="the-called-leg"),
        pytest.param(record(BRIDGED | {"originating_leg_uuid": OTHER}), [], id="a-leg-of-an-originate"),
        pytest.param(record(INSIDE | {"bridge_channel": "sofia/internal/1003@pbx"}), [], id="internal"),
        pytest.param(record(INSIDE | BRIDGED | {"call_direction": "inbound"}), ANSWERED,
            id="fusionpbx-says-so"),
    ],
)  # fmt: skip
def test_a_record_gives_these_events(body: bytes, expected: list[str]) -> None:
    assert lines(body) == expected


def test_a_losing_leg_of_a_group_says_nothing() -> None:
    leg = profile("1001")
    leg["caller_profile"]["originator"] = {"originator_caller_profiles": []}
    message = translate(read(record({"hangup_cause": "LOSE_RACE"}, leg)), Site())
    assert (message.kind, list(message.unknown), list(message.now)) == ("b-leg", [], [])


def test_who_hung_up_is_told() -> None:
    for disposition, side in (("recv_bye", "caller"), ("send_bye", "callee")):
        body = record(BRIDGED | {"sip_hangup_disposition": disposition})
        assert lines(body)[1].endswith(f"ended_by={side}")


def test_every_encoding_reads_the_same() -> None:
    plain = record(BRIDGED)
    for body in (
        plain,
        b"\n" + plain,
        b"cdr=" + plain,
        b"cdr=" + quote(plain).encode(),
        b"cdr=" + base64.b64encode(plain),
        record(BRIDGED, encoded=True),  # each variable once more in percent signs
    ):
        assert lines(body) == ANSWERED


def test_base64_keeps_its_plus_signs() -> None:
    body = next(
        text
        for name in range(200)
        if b"+" in (text := base64.b64encode(record(BRIDGED | {"note": f"{'~' * name}>>>???"})))
    )
    assert lines(b"cdr=" + body) == ANSWERED


def test_internal_calls_are_told_where_a_location_wants_them() -> None:
    inside = INSIDE | BRIDGED | {"bridge_channel": "sofia/internal/1003@pbx"}
    assert lines(record(inside, profile("1003", caller="1001")), Site(internal=True)) == [
        "outgoing_call answered 1001>1003 12:28:25 internal=True",
        "outgoing_call ended 1001>1003 12:29:24 internal=True",
    ]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b"{}", "/variables"),
        (b'{"variables": []}', "/variables"),
        (b'{"variables": {"a": "b"}}', "/uuid"),
        (b'{"variables": {"uuid": "1"}}', "/callflow"),
        (b'{"variables": {"uuid": "1"}, "callflow": [1]}', "/callflow/0"),
        (b'{"variables": {"uuid": "1"}, "callflow": [{}]}', "/callflow/0/caller_profile"),
        (record({"end_epoch": "soon"}), "/variables/end_epoch"),
        (record({"end_epoch": "9" * 30}), "/variables/end_epoch"),
        (b"[]", ""),
    ],
)
def test_what_freeswitch_does_not_send_is_refused_with_the_field(body: bytes, pointer: str) -> None:
    with pytest.raises(InvalidEvent) as refused:
        lines(body)
    assert [fault.pointer for fault in refused.value.errors] in ([pointer], [f"/variables{pointer}"])


@pytest.mark.parametrize("body", [b"", b"cdr=", b"cdr=***", b"cdr=%7B", b"uuid=1", b"cdr=" + b"\xff" * 8])
def test_what_is_in_no_encoding_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        read(body)


def test_the_further_fields_are_numbers_in_order() -> None:
    answered, ended = translate(read(record(BRIDGED)), Site()).now
    assert (answered["sequence"], ended["sequence"]) == (2, 3)
    assert (ended["cause"], ended["hangup_cause"]) == (16, "NORMAL_CLEARING")
    assert (ended["answered_by"], ended["ring_seconds"], ended["talk_seconds"]) == ("1002", 2, 59)
    (missed,) = translate(read(record({"hangup_cause": "NO_ANSWER", "hangup_cause_q850": "19"})), Site()).now
    assert (missed["sequence"], missed["cause"], missed["ring_seconds"]) == (3, 19, 61)
    assert "answered_by" not in missed and "talk_seconds" not in missed


def test_a_new_word_is_named_and_the_call_is_told_without_it() -> None:
    message = translate(
        read(record(BRIDGED | {"hangup_cause": "EATEN", "call_direction": "sideways"})), Site()
    )
    assert message.unknown == ["hangup_cause EATEN", "call_direction sideways"]
    assert [event["subtype"] for event in message.now] == ["answered", "ended"]
