"""Each operation of the API: what it answers, to whom, and what it refuses."""

import json
import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from api_client import Client, new_key
from appliance import Appliance, Place, Visitor, eventually
from media import client, sounds
from receiver import Receiver
from standardwebhooks import Webhook
from zapier_connection import connect_by_key

from webhooks.services.key_uses import KeyUses
from webhooks.web.api import keys

UNKNOWN = 999_999_999
# Every operation, with a body that would do.
OPERATIONS: list[tuple[str, str, Any]] = [
    ("GET", "/me", None),
    ("GET", "/webhooks", None),
    ("POST", "/webhooks", {"location": "none", "kind": "call", "url": "http://crm.example/"}),
    ("GET", "/webhooks/{id}", None),
    ("PATCH", "/webhooks/{id}", {}),
    ("DELETE", "/webhooks/{id}", None),
    ("POST", "/webhooks/{id}/test", None),
    ("POST", "/webhooks/{id}/pause", None),
    ("POST", "/webhooks/{id}/resume", {}),
    ("POST", "/webhooks/{id}/rotate", {}),
    ("POST", "/webhooks/{id}/now", None),
    ("POST", "/webhooks/{id}/replay", {"since": "2026-01-01T00:00:00Z", "preview": True}),
    ("GET", "/replays/{id}", None),
    ("GET", "/events", None),
    ("GET", "/deliveries", None),
    ("GET", "/deliveries/{id}", None),
    ("POST", "/deliveries/{id}/resend", None),
    ("POST", "/deliveries/{id}/now", None),
    ("GET", "/locations", None),
    ("POST", "/locations", {"name": "A program's"}),
    ("PATCH", "/locations/{id}", {}),
    ("GET", "/refusals", None),
    ("GET", "/alerts", None),
]
BODIES = [one for one in OPERATIONS if one[2] is not None]
LISTS = [path for method, path, _ in OPERATIONS if method == "GET" and path.endswith("s")]


@pytest.fixture
def api(appliance: Appliance) -> Client:
    """With a key of the test's own: together they are quicker than a key's limit."""
    return Client(appliance, new_key(appliance))


def is_problem(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status and problem["title"] and problem["detail"]
    return problem


def test_the_list_of_operations_here_is_that_of_the_document(appliance: Appliance) -> None:
    document = appliance.get("/api/openapi.json").json()
    described = {
        (method.upper(), path.removeprefix("/api"))
        for path, item in document["paths"].items()
        for method, about in item.items()
        if about["tags"] != ["hook"]
    }
    named = {(method, path) for method, path, _ in OPERATIONS}
    assert {(method, path.split("{")[0]) for method, path in described} == {
        (method, path.split("{")[0]) for method, path in named
    }
    assert len(described) == len(OPERATIONS)


@pytest.mark.databases("one")
@pytest.mark.parametrize(("method", "path", "body"), OPERATIONS)
def test_an_operation_wants_a_key(appliance: Appliance, method: str, path: str, body: Any) -> None:
    for key in (None, "spoke_wrong"):
        answer = Client(appliance, key)(method, path.format(id=1), json=body)
        is_problem(answer, 401)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.databases("one")
def test_a_read_key_reads_everything_and_changes_nothing(appliance: Appliance) -> None:
    reader = Client(appliance, new_key(appliance, "--read-only"))
    for method, path, body in OPERATIONS:
        answer = reader(method, path.format(id=UNKNOWN), json=body)
        if method == "GET":
            assert answer.status_code == (404 if "{id}" in path else 200), path
        else:
            assert "for reading only" in is_problem(answer, 403)["detail"]


@pytest.mark.databases("one")
def test_an_integrations_key_reaches_nothing_of_another_location(
    appliance: Appliance, visitor: Visitor, place: Place, receiver: Receiver
) -> None:
    name = f"Office {uuid.uuid4()}"
    token = appliance.location(name)
    theirs = appliance.webhook(name, receiver.url("/theirs"))["id"]
    appliance.ring(token)
    receiver.wait("/theirs")
    (delivery,) = appliance.rows("SELECT id FROM delivery WHERE webhook_id = :id", id=theirs)
    ids = {"webhooks": theirs, "deliveries": delivery.id, "locations": appliance.location_id(name),
           "replays": 1}  # fmt: skip
    own = Client(appliance, connect_by_key(appliance, visitor, place[0]))
    for method, path, body in OPERATIONS:
        noun = path.split("/")[1]
        if "{id}" in path:
            hidden = noun == "webhooks" and path.count("/") == 2 and method in ("GET", "DELETE")
            is_problem(own(method, path.format(id=ids[noun]), json=body), 404 if hidden else 403)
        elif noun in ("locations", "deliveries", "refusals", "alerts"):
            is_problem(own(method, path, json=body), 403)
    assert own.listed("/webhooks") == [] == own.listed("/events")
    assert theirs in [one["id"] for one in appliance.cli("webhook", "list") if one["state"] == "active"]
    assert len(receiver.at("/theirs")) == 1


def test_an_unknown_id_is_404(api: Client) -> None:
    for method, path, body in OPERATIONS:
        if "{id}" in path:
            for id_ in (UNKNOWN, 10**30):
                is_problem(api(method, path.format(id=id_), json=body), 404)


@pytest.mark.databases("one")
@pytest.mark.parametrize(("method", "path", "body"), BODIES)
def test_an_unknown_field_is_422_and_named(api: Client, method: str, path: str, body: Any) -> None:
    answer = api(method, path.format(id=UNKNOWN), json={**body, "surprise": 1})
    assert {"pointer": "/surprise", "detail": "“surprise” is not known here."} in is_problem(answer, 422)[
        "errors"
    ]


@pytest.mark.databases("one")
@pytest.mark.parametrize("path", LISTS)
def test_a_query_is_read_as_strictly_as_a_body(api: Client, path: str) -> None:
    for query in (
        "surprise=1",
        "limit=0",
        "limit=101",
        "limit=x",
        "limit=5&limit=5",
        "before=x",
        "limit=%00",
    ):
        is_problem(api("GET", f"{path}?{query}"), 422)


@pytest.mark.databases("one")
@pytest.mark.parametrize(("method", "path", "body"), OPERATIONS)
def test_a_wrong_method_is_405_and_names_the_right_ones(
    api: Client, method: str, path: str, body: Any
) -> None:
    answer = api("PUT", path.format(id=1))
    is_problem(answer, 405)
    assert method in answer.headers["Allow"].split(", ")


@pytest.mark.databases("one")
def test_a_body_that_is_no_json_object_is_refused(api: Client) -> None:
    kind = {"Content-Type": "application/json"}
    for body in (b"", b"{", b"\xff", b'{"name": "a"} x'):
        is_problem(api("POST", "/locations", data=body, headers=kind), 400)
    for body in (b"[]", b'"a"', b'{"name": "a", "name": "b"}', b'{"name": 1}', b'{"name": "a\\u0000"}'):
        is_problem(api("POST", "/locations", data=body, headers=kind), 422)
    is_problem(api("POST", "/locations", data={"name": "a"}), 415)
    is_problem(api("POST", "/locations", data=b" " * 300_000, headers=kind), 413)
    coded = {**kind, "Content-Encoding": "gzip"}
    is_problem(api("POST", "/locations", data=b"{}", headers=coded), 415)


def test_me_tells_whose_key_it_is(api: Client) -> None:
    me = api("GET", "/me").json()
    assert set(me) == {"account", "key", "version"} and me["key"].startswith("key ")


def test_a_use_of_a_key_is_shown(appliance: Appliance) -> None:
    key = new_key(appliance, "--read-only")
    name = Client(appliance, key)("GET", "/me").json()["key"]

    def row() -> Any:
        return next(one for one in appliance.cli("key", "list") if one["name"] == name)

    assert row()["scope"] == "read"
    eventually(lambda: row()["last_used_at"])
    appliance.cli("key", "revoke", name)
    is_problem(Client(appliance, key)("GET", "/me"), 401)


def test_a_location_is_added_once_and_changed(appliance: Appliance, api: Client) -> None:
    name = f"Office {uuid.uuid4()}"
    made = api.made("/locations", name=name)
    assert set(made) == {"id", "name", "state", "created_at", "connected_at", "token"}
    is_problem(api("POST", "/locations", json={"name": name}), 409)
    appliance.ring(made["token"])
    paused = api("PATCH", f"/locations/{made['id']}", json={"state": "paused", "name": f"{name}!"})
    assert (paused.json()["state"], paused.json()["name"]) == ("paused", f"{name}!")
    assert appliance.event(made["token"], type="incoming_call", subtype="ringing").status_code == 403
    etag = paused.headers["ETag"]
    again = api("PATCH", f"/locations/{made['id']}", json={"state": "active"}, headers={"If-Match": etag})
    assert again.json()["state"] == "active"
    late = api("PATCH", f"/locations/{made['id']}", json={"name": "x"}, headers={"If-Match": etag})
    is_problem(late, 412)
    assert api.listed("/locations")[0]["name"] == f"{name}!"


@pytest.mark.parametrize(("path", "field"), [("/locations", "name"), ("/webhooks", "description")])
def test_of_many_changes_made_from_the_same_state_one_is_taken(
    appliance: Appliance, api: Client, place: Place, path: str, field: str
) -> None:
    """Two windows that both read a row, and save at the same time: the second is told, nothing is lost."""
    if path == "/webhooks":
        row = api.made(path, location=place[0], kind="call", url="http://crm.example/")
    else:
        row = api.made(path, name=f"Office {uuid.uuid4()}")
    address = f"{path}/{row['id']}"
    etag = api("PATCH", address, json={}).headers["ETag"]
    names = [f"{path} {uuid.uuid4()}" for _ in range(8)]
    key = new_key(appliance)

    def change(name: str) -> int:
        return Client(appliance, key)(
            "PATCH", address, json={field: name}, headers={"If-Match": etag}
        ).status_code

    with ThreadPoolExecutor(len(names)) as crowd:
        answers = [*crowd.map(change, names)]
    assert sorted(answers) == [200] + [412] * (len(names) - 1)
    assert api("PATCH", address, json={}).json()[field] == names[answers.index(200)]


@pytest.mark.databases("one")
@pytest.mark.parametrize("etag", ["", ", ,", '"', "etag", 'W/"etag"', '"etag", *', f'"{"x" * 5000}"'])
def test_an_if_match_that_names_no_state_overwrites_nothing(api: Client, etag: str) -> None:
    made = api.made("/locations", name=f"Office {uuid.uuid4()}")
    change = api("PATCH", f"/locations/{made['id']}", json={"name": "x"}, headers={"If-Match": etag})
    is_problem(change, 412)


@pytest.mark.databases("one")
def test_reading_heeds_if_none_match_alone(api: Client) -> None:
    shown = api("GET", "/me")
    for known, status in ((shown.headers["ETag"], 304), (f"W/{shown.headers['ETag']}", 304), ("*", 304),
                          ('"x"', 200), ("", 200)):  # fmt: skip
        for method in ("GET", "HEAD"):
            answer = api(method, "/me", headers={"If-None-Match": known, "If-Match": '"x"'})
            assert (answer.status_code, answer.headers["ETag"]) == (status, shown.headers["ETag"]), known
            assert bool(answer.content) == (status == 200 and method == "GET")


def test_a_webhook_is_made_shown_changed_and_deleted(api: Client, place: Place) -> None:
    body: dict[str, Any] = {"location": place[0], "kind": "call", "types": ["incoming_call"],
            "statuses": ["busy", "missed"], "url": "http://crm.example/x",
            "options": {"headers": {"X-Key": "secret"}, "timeout": 5}}  # fmt: skip
    made = api.made("/webhooks", **body)
    assert made.pop("secret").startswith("whsec_")
    twin = api.made("/webhooks", **body)
    path = f"/webhooks/{made['id']}"
    shown = api("GET", path)
    assert shown.json() == made and twin["id"] != made["id"]
    assert list(made) == ["id", "location", "kind", "types", "statuses", "url", "description", "state",
                          "reason", "options", "created_at"]  # fmt: skip
    assert made["statuses"] == ["missed", "busy"] and made["options"]["headers"] == {"X-Key": "•••"}
    etag = shown.headers["ETag"]
    assert api("GET", path, headers={"If-None-Match": etag}).status_code == 304
    change = {"types": [], "options": {"timeout": None, "headers": {"X-Key": "•••", "X-More": "1"}}}
    changed = api("PATCH", path, json=change, headers={"If-Match": etag})
    assert changed.status_code == 200, changed.text
    assert changed.json()["types"] == [] and changed.json()["statuses"] == ["missed", "busy"]
    assert changed.json()["options"]["timeout"] is None
    assert set(changed.json()["options"]["headers"]) == {"X-Key", "X-More"}
    assert api("GET", path).headers["ETag"] == changed.headers["ETag"]
    is_problem(api("PATCH", path, json={"description": "late"}, headers={"If-Match": etag}), 412)
    assert is_problem(api("PATCH", path, json={"options": {"timeout": 99}}), 422)["errors"]
    is_problem(api("PATCH", path, json={"url": None}), 422)
    for _ in range(2):
        assert api("DELETE", path).status_code == 204
    is_problem(api("GET", path), 404)
    assert api("GET", f"/webhooks/{twin['id']}").status_code == 200


@pytest.mark.databases("one")
@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"kind": "fax"}, "/kind"),
        ({"types": ["voicemail"]}, "/types"),
        ({"types": "incoming_call"}, "/types"),
        ({"statuses": ["eaten"]}, "/statuses"),
        ({"url": "ftp://crm.example"}, "/url"),
        ({"url": "http://169.254.1.1/"}, "/url"),
        ({"options": {"concurrency": 99}}, "/options/concurrency"),
        ({"options": {"concurrency": "8"}}, "/options/concurrency"),
        ({"options": {"headers": {"Host": "x"}}}, "/options/headers"),
    ],
)
def test_a_wrong_field_of_a_webhook_is_named(
    api: Client, place: Place, wrong: dict[str, Any], pointer: str
) -> None:
    body = {"location": place[0], "kind": "call", "url": "http://crm.example/", **wrong}
    errors = is_problem(api("POST", "/webhooks", json=body), 422)["errors"]
    assert [error["pointer"] for error in errors] == [pointer]


def test_lists_go_on_by_their_link_and_newest_first(api: Client, place: Place, appliance: Appliance) -> None:
    name, token = place
    hook = api.made("/webhooks", location=name, kind="call", url="http://crm.example/")["id"]
    api("POST", f"/webhooks/{hook}/pause")
    ids = [appliance.ring(token) for _ in range(5)]
    events = api("GET", "/events", params={"location": name, "limit": 2})
    assert events.links["next"]["url"].startswith(f"{appliance.url}/api/events?location=")
    assert [one["id"] for one in api.listed("/events", location=name, limit=2)] == ids[::-1]
    numbers = [one["id"] for one in api.listed("/deliveries", webhook=hook, limit=2)]
    assert len(numbers) == 5 and numbers == sorted(numbers, reverse=True)
    for path in ("/webhooks", "/locations"):
        api.made("/locations", name=f"More {uuid.uuid4()}")
        assert api.listed(path, limit=1) == api.listed(path)


def test_events_are_what_a_receiver_gets_and_filtered(
    api: Client, place: Place, appliance: Appliance, receiver: Receiver
) -> None:
    name, token = place
    api.made("/webhooks", location=name, kind="call", url=receiver.url("/all"))
    thread = str(uuid.uuid4())
    first = appliance.ring(token, thread_id=thread, note=1.10)
    second = appliance.ring(token, type="outgoing_call", subtype="ended")
    appliance.event(token, type="voicemail", attachments=None)
    got = receiver.wait("/all", 2)
    kept = {one["id"]: one for one in api.listed("/events", location=name)}
    assert all(
        kept[one.json["id"]] == one.json and list(kept[one.json["id"]]) == list(one.json) for one in got
    )
    for query, found in (
        ({"thread_id": thread}, [first]), ({"type": "outgoing_call"}, [second]),
        ({"status": "ended"}, [second]),
        ({"until": "2020-01-01T00:00:00Z"}, []), ({"since": "2099-01-01T00:00:00Z"}, []),
    ):  # fmt: skip
        assert [one["id"] for one in api.listed("/events", location=name, **query)] == found
    assert len(api.listed("/events", location=name, since="2020-01-01T00:00:00+01:00")) == 3
    is_problem(api("GET", "/events?location=nowhere"), 404)
    is_problem(api("GET", "/events?since=2026-02-01T00:00:00Z&until=2026-01-01T00:00:00Z"), 422)


def test_a_program_subscribes_receives_and_is_unsubscribed_by_its_410(
    api: Client, place: Place, appliance: Appliance, receiver: Receiver
) -> None:
    name, token = place
    made = api.made("/webhooks", location=name, kind="call", statuses=["ringing"], url=receiver.url("/zap"))
    event = appliance.ring(token)
    got = receiver.wait("/zap", 1)[0]
    assert got.json["id"] == event
    Webhook(made["secret"]).verify(got.body, got.headers)
    receiver.answers["/zap"] = [410]
    appliance.ring(token)
    path = f"/webhooks/{made['id']}"
    eventually(lambda: api("GET", path).json()["state"] == "disabled")
    assert "410" in api("GET", path).json()["reason"]


def test_what_people_do_with_a_webhook_programs_can_do(
    api: Client, place: Place, appliance: Appliance, receiver: Receiver
) -> None:
    name, token = place
    hook = api.made("/webhooks", location=name, kind="call", url=receiver.url("/deeds"))["id"]
    path = f"/webhooks/{hook}"
    tested = api.made(f"{path}/test", 202)
    assert receiver.wait("/deeds", 1)[0].json["test"] is True and tested["deliveries"] == 1
    is_problem(api("POST", f"{path}/resume"), 409)
    assert api.made(f"{path}/pause", 200) == {"id": hook, "state": "paused", "held": 0}
    appliance.ring(token)
    is_problem(api("POST", f"{path}/now"), 409)
    assert api("GET", path).json()["state"] == "paused"
    assert api.made(f"{path}/resume", 200, drop_held=True) == {
        "id": hook, "state": "active", "sent": 0, "dropped": 1,
    }  # fmt: skip
    assert api.made(f"{path}/now", 202) == {"id": hook, "waiting": 0}
    rotated = api.made(f"{path}/rotate", 200)
    assert rotated["secret"].startswith("whsec_") and rotated["both_until"]
    is_problem(api("POST", f"{path}/rotate"), 409)
    assert api.made(f"{path}/rotate", 200, at_once=True)["both_until"] is None


def test_a_delivery_is_shown_with_its_attempts_sent_again_and_replayed(
    api: Client, place: Place, appliance: Appliance, receiver: Receiver
) -> None:
    name, token = place
    receiver.answers["/log"] = [500, 500, 500, 200]
    hook = api.made("/webhooks", location=name, kind="call", url=receiver.url("/log"))["id"]
    event = appliance.ring(token)

    def failed() -> Any:
        return api.listed("/deliveries", webhook=hook, state="failed")

    row = eventually(failed, 30)[0]
    assert row["event"] == event and row["attempts"] == 3 and row["settled_at"]
    path = f"/deliveries/{row['id']}"
    whole = api("GET", path).json()
    assert [(one["n"], one["status"]) for one in whole.pop("log")] == [(1, 500), (2, 500), (3, 500)]
    assert whole == row
    is_problem(api("POST", f"{path}/now"), 409)
    since = {"since": row["accepted_at"]}
    assert api.made(f"/webhooks/{hook}/replay", 200, **since, preview=True) == {"id": hook, "matching": 1}
    begun = api.made(f"/webhooks/{hook}/replay", 202, **since)
    assert begun["total"] == 1
    eventually(lambda: api("GET", f"/replays/{begun['replay']}").json()["state"] == "done")
    eventually(lambda: api("GET", path).json()["state"] == "delivered")
    sent = api.made(f"{path}/resend", 202)
    assert sent["id"] == row["id"] and sent["event"] == event
    eventually(lambda: api("GET", path).json()["attempts"] == 5)


def test_a_waiting_delivery_is_tried_now(patient: Appliance, receiver: Receiver) -> None:
    api = Client(patient, new_key(patient))
    name = f"Now {uuid.uuid4()}"
    token = api.made("/locations", name=name)["token"]
    receiver.answers["/now"] = [500, 200]
    hook = api.made("/webhooks", location=name, kind="call", url=receiver.url("/now"))["id"]
    patient.ring(token)
    row = eventually(lambda: api.listed("/deliveries", webhook=hook, state="retrying"))[0]
    assert row["phase"] == "retrying" and row["next_at"]
    assert api.made(f"/deliveries/{row['id']}/now", 202)["id"] == row["id"]
    eventually(lambda: api("GET", f"/deliveries/{row['id']}").json()["state"] == "delivered")


def test_refusals_and_alerts_are_listed(api: Client, place: Place, appliance: Appliance) -> None:
    name, token = place
    appliance.event(token, type="eaten", note=token)
    refused = eventually(lambda: api.listed("/refusals", location=name))
    assert refused[0]["status"] == 422 and refused[0]["request"] == "POST /api/events"
    assert token not in json.dumps(refused)
    is_problem(api("GET", "/refusals?location=nowhere"), 404)
    assert isinstance(api.listed("/alerts", state="closed"), list)
    is_problem(api("GET", "/alerts?state=new"), 422)


def test_a_phone_system_that_uses_get_is_seen(appliance: Appliance, api: Client, place: Place) -> None:
    name, token = place
    answer = Client(appliance, token)("GET", "/events")
    assert "use POST" in is_problem(answer, 405)["detail"] and answer.headers["Allow"] == "POST"
    refused = eventually(lambda: api.listed("/refusals", location=name))
    assert refused[0]["request"] == "GET /api/events"
    assert "location's token" in is_problem(Client(appliance, token)("GET", "/webhooks"), 401)["detail"]


@pytest.mark.databases("one")
def test_a_key_that_asks_too_often_is_told_when_to_go_on(
    appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "limits", keys.Limits(2, lambda: 0.0))
    program = appliance.app.test_client()
    header = {"Authorization": f"Bearer {new_key(appliance)}"}
    answers = [program.get("/api/me", headers=header) for _ in range(3)]
    assert [one.status_code for one in answers] == [200, 200, 429]
    assert answers[2].headers["Retry-After"] == "1"
    assert answers[2].content_type == "application/problem+json"


@pytest.mark.databases("one")
def test_the_document_is_shown_without_another_host(appliance: Appliance) -> None:
    page = appliance.get("/api/docs")
    assert page.status_code == 200 and "POST /api/webhooks/{webhook_id}/replay" in page.text
    assert not re.search(r'(?:src|href)="https?://', page.text)
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    document = appliance.get("/api/openapi.json").json()
    assert document["openapi"].startswith("3.1") and "post" in document["paths"]["/api/events"]


@pytest.mark.databases("one")
def test_a_key_is_added_shown_once_and_revoked_on_a_page(appliance: Appliance, visitor: Visitor) -> None:
    name = f"page {uuid.uuid4()}"
    assert visitor.post("/keys", name=name, read_only="true").status_code == 303
    page = visitor.get("/keys").text
    key = re.search(r"spoke_[\w-]{43}", page)
    assert key and name in page and "won&#39;t be shown again" in page.replace("'", "&#39;")
    assert key[0] not in visitor.get("/keys").text
    reader = Client(appliance, key[0])
    assert reader("GET", "/me").json()["key"] == name
    assert reader("POST", "/locations", json={"name": "x"}).status_code == 403
    taken = visitor.post("/keys", name=name)
    assert taken.status_code == 422 and "already" in taken.text
    row = next(one for one in appliance.rows("SELECT id, name FROM api_key") if one.name == name)
    assert "refused at once" in visitor.get(f"/keys/{row.id}/revoke").text
    assert visitor.post(f"/keys/{row.id}/revoke").status_code == 303
    is_problem(reader("GET", "/me"), 401)


def test_a_use_is_written_once_a_minute(appliance: Appliance) -> None:
    name = appliance.cli("key", "add", f"used {uuid.uuid4()}")["name"]
    store, at_s = appliance.app.extensions["spoke"].store, [0.0]
    uses = KeyUses(store, lambda: at_s[0])
    key_id = appliance.rows("SELECT id FROM api_key WHERE name = :name", name=name)[0].id

    def used() -> Any:
        return appliance.rows("SELECT last_used_at FROM api_key WHERE id = :id", id=key_id)[0][0]

    uses.note(key_id)
    assert eventually(used)
    with store.write() as session:
        session.execute(sa.text("UPDATE api_key SET last_used_at = NULL WHERE id = :id"), {"id": key_id})
    at_s[0] = 59.0
    uses.note(key_id)
    uses.flush()
    assert used() is None
    at_s[0] = 60.0
    uses.note(key_id)
    assert eventually(used)


def test_a_recording_is_listed_with_a_link_once_it_is_ready(
    api: Client, place: Place, appliance: Appliance
) -> None:
    name, token = place
    client.send(appliance, token, sounds.long_wav(2))
    listed = eventually(lambda: api.listed("/events", location=name))
    assert listed[0]["content_type"] == "audio/mpeg"
    assert client.fetch(appliance, listed[0]["attachments"]).status_code == 200
