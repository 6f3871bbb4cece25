"""The doors of phone systems over HTTP: tokens, answers, repeats, and what comes out at a receiver."""

import base64
import hashlib
import hmac
import json
from typing import Any
from urllib.parse import quote

import pytest
import requests
import sqlalchemy as sa
from appliance import Appliance, Place, Visitor, basic, eventually
from receiver import Receiver

JOURNAL = {
    "call_type": "Missed", "number": "+493012345678", "name": "Ada", "agent": "101", "agent_name": "Grace",
    "queue": "", "duration": "00:00:00", "started_at": "2026-11-24T08:00:00Z",
    "answered_at": "[CallEstablishedTimeUTC]", "ended_at": "2026-11-24T08:00:20Z",
}  # fmt: skip
CDR = {
    "call_id": "1651057476.362", "time_start": "2022-04-27 19:04:36", "call_from": "+4930123",
    "call_to": "2002",
    "call_duration": 24, "talk_duration": 21, "status": "ANSWERED", "type": "Inbound", "uid": "1",
}  # fmt: skip
UCM = {
    "src": "+19785551234", "dst": "1001", "start": "2026-02-01 10:30:00", "end": "2026-02-01 10:30:20",
    "disposition": "NO ANSWER", "uniqueid": "1738412400.1", "src_trunk_name": "Provider",
}  # fmt: skip
FREESWITCH = {
    "core-uuid": "61b3", "switchname": "pbx",
    "variables": {
        "uuid": "5282f87c-368c-43a2-babd-bc63ff12dc79", "call_uuid": "5282f87c-368c-43a2-babd-bc63ff12dc79",
        "hangup_cause": "ORIGINATOR_CANCEL", "start_epoch": "1520944103", "end_epoch": "1520944123",
        "sip_from_uri": "%2B4930123%40provider.example",
    },
    "callflow": [{
        "profile_index": "1", "times": {"bridged_time": "0"},
        "caller_profile": {"caller_id_number": "+4930123", "caller_id_name": "Ada",
        "destination_number": "1001"},
    }],
}  # fmt: skip


def yeastar(msg: object, kind: int = 30012) -> dict[str, Any]:
    return {"type": kind, "sn": "3631A2124XXX", "msg": msg}


def stored(appliance: Appliance, location: str) -> list[tuple[str, str]]:
    """Type and status of a location's events, in the order in which they were accepted."""
    query = (
        "SELECT type, event.subtype FROM event JOIN location ON location.id = location_id "
        "WHERE name = :name ORDER BY event.id"
    )
    return [(row[0], row[1]) for row in appliance.rows(query, name=location)]


def test_a_journal_entry_of_3cx_arrives_at_the_receiver_once(
    appliance: Appliance, receiver: Receiver, place: Place
) -> None:
    name, token = place
    appliance.webhook(name, receiver.url("/crm"), type="incoming_call", status="missed")
    first = appliance.post(f"/api/pbx/3cx/t/{token}", json=JOURNAL)
    assert (first.status_code, first.json()["events"][0]["deliveries"]) == (202, 1), first.text
    again = appliance.post("/api/pbx/3cx", json=JOURNAL, headers={"Authorization": f"Bearer {token}"})
    assert (again.status_code, again.json()["events"][0]["duplicate"]) == (200, True)
    (request,) = receiver.wait("/crm", 1)
    message = json.loads(request.body)
    assert (message["from"], message["to"], message["subtype"]) == ("+493012345678", "101", "missed")
    assert message["id"] == first.json()["events"][0]["id"]


def test_a_call_of_several_yeastar_records_has_one_answer_and_one_end(
    appliance: Appliance, place: Place
) -> None:
    name, token = place
    members = [
        {"inbound": {"from": "+4930123", "to": "493099", "member_status": "ALERT"}},
        {"extension": {"number": "2002", "member_status": "RING"}},
    ]
    door = f"/api/pbx/yeastar/t/{token}"
    live = yeastar(json.dumps({"call_id": CDR["call_id"], "members": members}), 30011)
    for _ in range(2):
        assert appliance.post(door, json=live).status_code in (200, 202)
    for changed in ({"status": "NO ANSWER", "call_to": "2001"}, {}, {"call_to": "IVR 6200"}, {}):
        answer = appliance.post(door, json=yeastar(CDR | changed))
        assert answer.status_code == 202, answer.text
    incoming = [("incoming_call", status) for status in ("ringing", "answered", "ended")]
    eventually(lambda: stored(appliance, name) == incoming)
    # A record that comes late, or again, ends the call no second time.
    assert appliance.post(door, json=yeastar(CDR | {"status": "NO ANSWER"})).status_code == 202
    eventually(lambda: not appliance.rows("SELECT 1 FROM call_view"))
    assert stored(appliance, name) == incoming


def test_records_that_wait_outlive_a_kill(start_appliance: Any) -> None:
    appliance = start_appliance()
    token = appliance.location("Office")
    assert appliance.post(f"/api/pbx/grandstream/t/{token}", json=UCM).status_code == 202
    appliance.kill()
    appliance.start()
    eventually(lambda: stored(appliance, "Office") == [("incoming_call", "missed")])


def test_a_record_that_cannot_be_decided_holds_up_no_other_call(appliance: Appliance, place: Place) -> None:
    name, token = place
    with appliance.app.extensions["spoke"].store.write() as session:
        session.execute(
            sa.text(
                "INSERT INTO call_view (location_id, thread_key, due_at, body) VALUES (:id, 'broken', 0, '{')"
            ),
            {"id": appliance.location_id(name)},
        )
    assert appliance.post(f"/api/pbx/grandstream/t/{token}", json=UCM).status_code == 202
    eventually(lambda: stored(appliance, name) == [("incoming_call", "missed")])
    eventually(lambda: not appliance.rows("SELECT 1 FROM call_view WHERE thread_key = 'broken'"))
    assert "call lost" in appliance.log


@pytest.mark.databases("one")
def test_a_ucm_without_a_field_for_the_path_posts_to_the_root(appliance: Appliance, place: Place) -> None:
    name, token = place
    answer = appliance.post("/", json=UCM, headers={"Authorization": basic("cdr", token)})
    assert (answer.status_code, answer.json()) == (202, {"events": [], "waiting": 1})
    assert appliance.post("/", json=UCM, headers={"Authorization": basic("cdr", "wrong")}).status_code == 401
    eventually(lambda: stored(appliance, name) == [("incoming_call", "missed")])


@pytest.mark.databases("one")
@pytest.mark.parametrize(
    ("kind", "encode"),
    [
        pytest.param("application/json", lambda text: text, id="raw"),
        pytest.param("application/x-www-form-urlencoded", lambda text: text, id="raw-with-a-forms-type"),
        pytest.param(
            "application/x-www-form-urlencoded", lambda text: b"cdr=" + quote(text).encode(), id="escaped"
        ),
        pytest.param(
            "application/x-www-form-base64-encoded",
            lambda text: b"cdr=" + base64.b64encode(text),
            id="base64",
        ),
        pytest.param("application/x-www-form-plaintext", lambda text: b"cdr=" + text, id="plain"),
    ],
)
def test_freeswitch_may_send_its_record_in_any_encoding(
    appliance: Appliance, place: Place, kind: str, encode: Any
) -> None:
    name, token = place
    # The module appends "?uuid=…" to whatever the address is.
    answer = appliance.post(
        f"/api/pbx/freeswitch?token={token}?uuid=5282f87c",
        data=encode(json.dumps(FREESWITCH).encode()),
        headers={"Content-Type": kind},
    )
    assert answer.status_code == 202, answer.text
    assert stored(appliance, name) == [("incoming_call", "missed")]


@pytest.mark.databases("one")
def test_a_dialplan_tells_by_forms(appliance: Appliance, place: Place) -> None:
    name, token = place
    call = {"direction": "in", "uniqueid": "1732551234.57", "from": "+4930123", "name": "Ada", "to": "5010"}
    for more in ({"event": "ringing"}, {"event": "ended", "dialstatus": "NOANSWER", "cause": "19"}):
        answer = appliance.post(f"/api/pbx/dialplan/t/{token}", data=call | more)
        assert answer.status_code == 202, answer.text
    assert stored(appliance, name) == [("incoming_call", "ringing"), ("incoming_call", "missed")]


def test_the_phones_of_a_group_are_one_call(appliance: Appliance, place: Place) -> None:
    name, token = place

    def phone(number: int, event: str) -> requests.Response:
        query = f"call=4711@pbx&local=sip:{number}@pbx&remote=sip:%2B4930123@pbx&name=$display_remote"
        return appliance.get(f"/api/pbx/phones/t/{token}/{event}?{query}")

    for number in (5010, 5011, 5012):
        assert phone(number, "incoming").status_code in (200, 202)
    assert phone(5011, "answered").status_code == 202
    for number in (5010, 5012):
        assert phone(number, "missed").status_code == 202
    assert phone(5011, "ended").status_code == 202
    incoming = [("incoming_call", status) for status in ("ringing", "answered", "ended")]
    eventually(lambda: stored(appliance, name) == incoming)


@pytest.mark.databases("one")
def test_a_signature_is_asked_for_once_a_secret_is_set(
    appliance: Appliance, visitor: Visitor, place: Place
) -> None:
    name, token = place
    page = f"/locations/{appliance.location_id(name)}/phone-systems/yeastar"
    assert visitor.post(f"{page}/secret", secret="0123456789abcdef").status_code == 303
    body = json.dumps(yeastar(CDR)).encode()

    def post(**headers: str) -> int:
        return appliance.post(f"/api/pbx/yeastar/t/{token}", data=body, headers=headers).status_code

    signature = base64.b64encode(hmac.new(b"0123456789abcdef", body, hashlib.sha256).digest()).decode()
    assert (post(), post(**{"X-Signature": "AAAA"}), post(**{"X-Signature": signature})) == (401, 401, 202)
    kept = appliance.rows("SELECT signing_secret FROM phone_site WHERE signing_secret IS NOT NULL")
    assert "0123456789abcdef" not in str(kept)
    assert visitor.post(f"{page}/secret", remove="1").status_code == 303
    assert post() == 202


def test_unknown_kinds_are_counted_and_shown(appliance: Appliance, visitor: Visitor, place: Place) -> None:
    name, token = place
    for _ in range(2):
        answer = appliance.post(f"/api/pbx/yeastar/t/{token}", json=yeastar({}, 30999))
        assert (answer.status_code, answer.json()) == (200, {"events": [], "waiting": 0})
    appliance.post(f"/api/pbx/yeastar/t/{token}", json=yeastar({}, 30008))  # known, and says nothing
    where = appliance.location_id(name)
    for path in (f"/locations/{where}", f"/locations/{where}/phone-systems/yeastar"):
        text = visitor.get(path).text
        assert "<bdi>30999</bdi>" in text and "2 times" in text and "30008" not in text.replace("(30008)", "")
    for address, body in (
        ("3cx", json.dumps(JOURNAL | {"call_type": "Eaten"})),
        ("grandstream", json.dumps(UCM | {"disposition": "EATEN"})),
        ("dialplan", "event=eaten&uniqueid=1"),
    ):
        answer = appliance.post(f"/api/pbx/{address}/t/{token}", data=body)
        assert (answer.status_code, answer.json()["events"]) == (200, []), address
    assert appliance.get(f"/api/pbx/phones/t/{token}/eaten?call=1").status_code == 200
    text = visitor.get(f"/locations/{where}").text
    for word in ("3CX <bdi>call_type Eaten", "Grandstream UCM <bdi>disposition EATEN", "<bdi>event eaten"):
        assert word in text
    for kind in range(31_000, 31_040):
        appliance.post(f"/api/pbx/yeastar/t/{token}", json=yeastar({}, kind))
    kinds = appliance.rows(
        "SELECT kind, count FROM unknown_kind WHERE location_id = :id AND system = 'yeastar'", id=where
    )
    assert len(kinds) == 31 and dict(map(tuple, kinds))["others"] == 11


@pytest.mark.databases("one")
@pytest.mark.parametrize(
    ("system", "body", "status", "pointer"),
    [
        ("3cx", json.dumps(JOURNAL | {"call_type": "?"}), 422, "/call_type"),
        ("yeastar", json.dumps(yeastar(CDR | {"status": "?"})), 422, "/msg/status"),
        ("grandstream", json.dumps(UCM | {"disposition": "?"}), 422, "/disposition"),
        ("grandstream", "<cdr><a>1</a></cdr>", 422, ""),
        ("freeswitch", json.dumps(FREESWITCH | {"callflow": []}), 422, "/callflow"),
        ("dialplan", "event=ended&uniqueid=1", 422, "/direction"),
        ("dialplan", "event=ended&event=ended", 422, ""),
        ("3cx", "{", 400, None),
        ("3cx", "[]", 422, ""),
        ("freeswitch", "cdr=%%%", 400, None),
        ("dialplan", "\udcff", 400, None),
        ("yeastar", "x" * (1 << 20 | 1), 413, None),
    ],
)
def test_what_no_such_system_sends_is_refused(
    appliance: Appliance, place: Place, system: str, body: str, status: int, pointer: str | None
) -> None:
    name, token = place
    answer = appliance.post(f"/api/pbx/{system}/t/{token}", data=body.encode("utf-8", "surrogateescape"))
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    if pointer is not None:
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert stored(appliance, name) == []


@pytest.mark.databases("one")
@pytest.mark.parametrize("system", ["3cx", "yeastar", "grandstream", "freeswitch", "dialplan"])
def test_a_door_opens_to_the_token_alone(appliance: Appliance, place: Place, system: str) -> None:
    name, token = place
    assert appliance.post(f"/api/pbx/{system}", json=JOURNAL).status_code == 401
    assert appliance.post(f"/api/pbx/{system}/t/{token}x", json=JOURNAL).status_code == 401
    appliance.cli("location", "pause", name)
    assert appliance.post(f"/api/pbx/{system}/t/{token}", json=JOURNAL).status_code == 403


@pytest.mark.databases("one")
def test_a_phone_without_a_calls_id_is_refused(appliance: Appliance, place: Place) -> None:
    for query, pointer in (("", "/call"), ("?call=$call_id", "/call")):
        answer = appliance.get(f"/api/pbx/phones/t/{place[1]}/eaten{query}")
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
    assert appliance.get("/api/pbx/phones/t/wrong/incoming?call=1").status_code == 401
    assert appliance.post("/api/pbx/pigeons").status_code == 404


@pytest.mark.databases("one")
def test_numbers_are_written_by_the_locations_country(
    appliance: Appliance, visitor: Visitor, receiver: Receiver, place: Place
) -> None:
    name, token = place
    appliance.webhook(name, receiver.url("/crm"), type="incoming_call")
    page = f"/locations/{appliance.location_id(name)}"
    assert visitor.post(f"{page}/phone-settings", country="de").status_code == 303
    assert 'name="country" value="DE"' in visitor.get(page).text
    refused = visitor.post(f"{page}/phone-settings", country="xx", time_zone="Europe/Berlin")
    assert refused.status_code == 422 and "“Country” has to be two letters" in refused.text
    assert 'name="country" value="xx"' in refused.text and 'value="Europe/Berlin"' in refused.text
    assert (
        appliance.post(f"/api/pbx/3cx/t/{token}", json=JOURNAL | {"number": "03012345678"}).status_code == 202
    )
    ucm = UCM | {"src": "0171 1234567"}
    assert appliance.post(f"/api/pbx/grandstream/t/{token}", json=ucm).status_code == 202
    first, second = (json.loads(request.body) for request in receiver.wait("/crm", 2))
    assert (first["from"], first["from_raw"], first["from_national"], first["to"]) == (
        "+493012345678", "03012345678", "030 12345678", "101",
    )  # fmt: skip
    assert (second["from"], second["from_raw"]) == ("+491711234567", "0171 1234567")
