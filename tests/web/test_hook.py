"""The PBX event hook as a PBX sees it: tokens, answers, batches, forms, repeats; and the doors beside it."""

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from appliance import Appliance, Place, Visitor, basic, eventually
from receiver import Receiver

RINGING = {"type": "incoming_call", "subtype": "ringing"}
SEED_CALL = {
    "id": "6d739560-1741-11ed-861d-0242ac120002",
    "thread_id": "54144414-9e16-49de-8830-b2475a8dc7ea",
    "to": "5010",
    "from": "+19203833100",
    "to_name": "Dade Murphy",
    "from_name": "Clearly IP",
    "type": "incoming_call",
    "subtype": "ringing",
    "timestamp": "2023-11-14T21:45:22.000000Z",
}


def new_id() -> str:
    return str(uuid.uuid4())


def post(appliance: Appliance, token: str, body: Any) -> requests.Response:
    return appliance.post("/api/events", json=body, headers={"Authorization": f"Bearer {token}"})


def event_count(appliance: Appliance, location: str) -> int:
    """How many events of a location are kept."""
    query = "SELECT count(*) FROM event JOIN location ON location.id = location_id WHERE name = :name"
    return int(appliance.rows(query, name=location)[0][0])


def settled(appliance: Appliance, location: str) -> bool:
    """Whether nothing of a location's is on its way any more."""
    query = (
        "SELECT count(*) FROM delivery JOIN webhook ON webhook.id = webhook_id JOIN location "
        "ON location.id = location_id WHERE name = :name AND delivery.state = 'pending'"
    )
    return bool(appliance.rows(query, name=location)[0][0] == 0)


# --- the token ---


@pytest.mark.parametrize(
    ("path", "authorization"),
    [
        pytest.param("/api/events", "Bearer {token}", id="bearer"),
        pytest.param("/api/events", "bearer {token}", id="bearer-in-small-letters"),
        pytest.param("/api/events", "pbx", id="basic"),
        pytest.param("/api/events", "", id="basic-without-user"),
        pytest.param("/api/events", "jürgen@büro", id="basic-any-user"),
        pytest.param("/api/events?token={token}", None, id="query"),
        pytest.param("/api/events?token={token}&x=1", None, id="query-and-a-pbxs-own"),
        pytest.param("/api/events?x=1&token={token}", None, id="query-behind-a-pbxs-own"),
        pytest.param("/api/events?token={token}?uuid=1", None, id="query-and-a-second-question-mark"),
        pytest.param("/api/events?token={token}?uuid=1&x=2", None, id="query-second-question-mark-and-more"),
        pytest.param("/api/events/t/{token}", None, id="path"),
        pytest.param("/api/events/t/{token}?foo=bar", None, id="path-and-a-pbxs-own"),
        pytest.param("/api/events/t/{token}?", None, id="path-and-a-question-mark"),
        pytest.param("/api/events/t/{token}?token=theirs", None, id="path-and-a-token-of-theirs"),
        pytest.param("/api/events/t/{token}", "Bearer theirs", id="path-and-a-bearer-of-theirs"),
    ],
)
def test_a_token_may_come_in_four_ways(
    appliance: Appliance, place: Place, path: str, authorization: str | None
) -> None:
    name, token = place
    headers = {}
    if authorization is not None:
        bearer = authorization.lower().startswith("bearer ")
        headers["Authorization"] = (
            authorization.format(token=token) if bearer else basic(authorization, token)
        )
    answer = appliance.post(path.format(token=token), json=RINGING, headers=headers)
    assert answer.status_code == 202, answer.text
    assert event_count(appliance, name) == 1


@pytest.mark.parametrize(
    ("path", "authorization"),
    [
        pytest.param("/api/events", None, id="none"),
        pytest.param("/api/events", "Bearer {token}x", id="a-letter-more"),
        pytest.param("/api/events", "Basic {token}", id="not-in-base64"),
        pytest.param("/api/events", "user", id="as-the-user"),
        pytest.param("/api/events?token={token}x", None, id="query-a-letter-more"),
        pytest.param("/api/events?key={token}", None, id="query-by-another-name"),
        pytest.param("/api/events/t/{token}x", None, id="path-a-letter-more"),
    ],
)
def test_what_is_not_the_token_is_401(
    appliance: Appliance, place: Place, path: str, authorization: str | None
) -> None:
    name, token = place
    headers = {}
    if authorization == "user":
        headers["Authorization"] = basic(token, "")
    elif authorization is not None:
        headers["Authorization"] = authorization.format(token=token)
    answer = appliance.post(path.format(token=token), json=RINGING, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert event_count(appliance, name) == 0


def test_a_token_is_its_own_locations_alone(appliance: Appliance, receiver: Receiver, place: Place) -> None:
    other = f"{place[0]} too"
    token = appliance.location(other)
    appliance.webhook(place[0], receiver.url("/hook"))
    answer = post(appliance, token, RINGING)
    assert (answer.status_code, answer.json()["deliveries"]) == (202, 0)
    assert (event_count(appliance, place[0]), event_count(appliance, other)) == (0, 1)


def all_doors(appliance: Appliance, token: str, body: Any = RINGING) -> set[int]:
    """The answers of every way to give a token, each asked some times anew: of both web processes."""
    ways: list[tuple[str, dict[str, str]]] = [
        ("/api/events", {"Authorization": f"Bearer {token}"}),
        ("/api/events", {"Authorization": basic("pbx", token)}),
        (f"/api/events?token={token}", {}),
        (f"/api/events/t/{token}", {}),
    ]
    return {
        appliance.post(path, json=body, headers={**headers, "Connection": "close"}).status_code
        for path, headers in ways * 3
    }


def test_a_paused_locations_events_are_403_until_it_is_resumed(
    appliance: Appliance, receiver: Receiver, place: Place
) -> None:
    name, token = place
    appliance.webhook(name, receiver.url("/hook"))
    appliance.cli("location", "pause", name)
    assert all_doors(appliance, token) == {403}
    assert all_doors(appliance, token, [RINGING, RINGING]) == {403}
    answer = post(appliance, token, RINGING)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == 403 and "paused" in answer.json()["detail"]
    assert event_count(appliance, name) == 0
    appliance.cli("location", "resume", name)
    assert all_doors(appliance, token) == {202}
    assert len(receiver.wait("/hook", 12)) == 12


def test_after_a_rotation_the_old_token_is_401_and_the_new_one_counts_at_once(
    appliance: Appliance, place: Place
) -> None:
    name, old = place
    assert all_doors(appliance, old) == {202}
    new = appliance.cli("location", "rotate", name)["token"]
    assert all_doors(appliance, old) == {202}
    visitor = Visitor(appliance)
    where = f"/locations/{appliance.location_id(name)}"
    assert "The old token is valid until" in visitor.get(where).text
    assert visitor.post(f"{where}/end-token").status_code == 303
    assert all_doors(appliance, old) == {401}
    assert "The old token is valid until" not in visitor.get(where).text
    assert visitor.post(f"{where}/end-token").status_code == 409
    assert all_doors(appliance, new) == {202}


def test_a_renamed_location_keeps_its_token(appliance: Appliance, place: Place) -> None:
    appliance.cli("location", "rename", place[0], f"{place[0]} new")
    assert all_doors(appliance, place[1]) == {202}


def test_a_deleted_locations_token_is_401_and_the_name_is_free(appliance: Appliance, place: Place) -> None:
    name, token = place
    assert all_doors(appliance, token) == {202}
    appliance.cli("location", "delete", name)
    assert all_doors(appliance, token) == {401}
    assert all_doors(appliance, appliance.location(name)) == {202}
    assert all_doors(appliance, token) == {401}


def test_a_browsers_origin_does_not_matter_to_the_hook(appliance: Appliance, place: Place) -> None:
    """It goes by the token, never by a cookie; a soft phone may be a web page."""
    headers = {"Authorization": f"Bearer {place[1]}", "Origin": "https://evil.example"}
    for extra in ({}, {"Sec-Fetch-Site": "cross-site"}):
        assert appliance.post("/api/events", json=RINGING, headers=headers | extra).status_code == 202


# --- fields ---


def test_a_form_arrives_as_the_same_event(appliance: Appliance, receiver: Receiver, place: Place) -> None:
    name, token = place
    appliance.webhook(name, receiver.url("/hook"))
    form = {"duration": "017", **SEED_CALL, "größe": "a & b = c", "to_name": "Jürgen ☎", "empty": ""}
    answer = appliance.post("/api/events", data=form, headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()) == (202, {"id": SEED_CALL["id"], "deliveries": 1})
    got = receiver.wait("/hook")[0].json
    wanted = SEED_CALL | {"to_name": "Jürgen ☎", "duration": "017", "größe": "a & b = c", "empty": ""}
    assert list(got.items()) == list(wanted.items())


def test_a_media_event_of_a_form_passes_its_audio_on(
    appliance: Appliance, receiver: Receiver, place: Place
) -> None:
    name, token = place
    appliance.webhook(name, receiver.url("/hook"), kind="media")
    form = {"type": "voicemail", "attachments": "https://pbx.example/vm/1.mp3", "filename": "1.mp3"}
    answer = appliance.post(f"/api/events/t/{token}", data=form)
    assert (answer.status_code, answer.json()["deliveries"]) == (202, 1)
    got = receiver.wait("/hook")[0].json
    assert got["attachments"] == form["attachments"] and got["filename"] == "1.mp3"
    assert got["content_type"] is None and got["to"] == ""


def test_further_fields_are_passed_on_whatever_they_are_called(
    appliance: Appliance, receiver: Receiver, place: Place
) -> None:
    """After the required fields, in the order in which they came, null and empty ones too."""
    name, token = place
    appliance.webhook(name, receiver.url("/hook"))
    further: dict[str, Any] = {
        "zz": None, "attachments": "x", "filename": 1, "content_type": [], "webhook-id": "x", "": {},
        "__proto__": {"a": 1}, "deliveries": 9, "duplicate": True, "From": "x", "a/b": "\u2028", "😀": 0,
    }  # fmt: skip
    assert post(appliance, token, {**further, **SEED_CALL}).status_code == 202
    assert list(receiver.wait("/hook")[0].json.items()) == list({**SEED_CALL, **further}.items())


@pytest.mark.databases("one")
@pytest.mark.parametrize(
    "time",
    [
        "2023-11-14T21:45:22.000000Z",
        "2023-11-14T21:45:22Z",
        "2023-11-14T21:45:22",
        "2023-11-14T21:45:22+01:00",
        "2023-11-14T21:45:22-0500",
        "2023-11-14T21:45:22+05",
        "2023-11-14T21:45:22.1Z",
        "2023-11-14T21:45:22,123Z",
        "2023-11-14T21:45:22.123456789Z",
        "2023-11-14T21:45Z",
        "2023-11-14 21:45:22",
        "20231114T214522Z",
        "20231114T214522.5-0500",
        "2023-11-14",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999Z",
        "2024-02-29T00:00:00Z",
    ],
)
def test_a_time_in_iso_8601_is_taken_and_sent_on_as_it_came(
    appliance: Appliance, receiver: Receiver, place: Place, time: str
) -> None:
    name, token = place
    appliance.webhook(name, receiver.url("/hook"))
    answer = post(appliance, token, {**RINGING, "timestamp": time})
    assert answer.status_code == 202, answer.text
    assert receiver.wait("/hook")[0].json["timestamp"] == time


# --- batches ---


def test_a_batch_is_answered_in_its_order(appliance: Appliance, receiver: Receiver, place: Place) -> None:
    name, token = place
    appliance.webhook(name, receiver.url("/missed"), status="missed")
    appliance.webhook(name, receiver.url("/calls"))
    appliance.webhook(name, receiver.url("/media"), kind="media", type="voicemail")
    kinds: list[tuple[dict[str, str], int]] = [
        ({"type": "outgoing_call", "subtype": "missed"}, 2),
        ({"type": "call_recording"}, 0),
        ({"type": "incoming_call", "subtype": "ended"}, 1),
        ({"type": "voicemail"}, 1),
    ]
    batch = [({"id": new_id(), **fields}, deliveries) for fields, deliveries in kinds * 5]
    answer = post(appliance, token, [event for event, _ in batch])
    assert answer.status_code == 202
    assert answer.json() == {
        "accepted": 20,
        "duplicates": 0,
        "events": [{"id": one["id"], "deliveries": n, "duplicate": False} for one, n in batch],
    }
    eventually(lambda: settled(appliance, name))
    assert len(receiver.requests) == sum(n for _, n in batch)


def test_a_batch_of_one_is_answered_as_a_batch(appliance: Appliance, place: Place) -> None:
    """And what has no id gets one in the answer."""
    answer = post(appliance, place[1], [RINGING])
    found = answer.json()
    made = found["events"][0]["id"]
    assert answer.status_code == 202 and str(uuid.UUID(made)) == made
    assert found == {
        "accepted": 1, "duplicates": 0, "events": [{"id": made, "deliveries": 0, "duplicate": False}],
    }  # fmt: skip


def test_events_without_an_id_are_never_twins(appliance: Appliance, place: Place) -> None:
    found = post(appliance, place[1], [RINGING] * 5).json()
    assert found["accepted"] == 5 and len({event["id"] for event in found["events"]}) == 5


def test_a_batch_is_200_only_if_all_of_it_was_known(
    appliance: Appliance, receiver: Receiver, place: Place
) -> None:
    name, token = place
    appliance.webhook(name, receiver.url("/hook"))
    old = [{"id": new_id(), **RINGING} for _ in range(3)]
    new = [{"id": new_id(), **RINGING} for _ in range(2)]
    assert post(appliance, token, old).status_code == 202
    mixed = post(appliance, token, [new[0], *old, new[1]])
    assert (mixed.status_code, mixed.json()["accepted"], mixed.json()["duplicates"]) == (202, 2, 3)
    assert [one["duplicate"] for one in mixed.json()["events"]] == [False, True, True, True, False]
    again = post(appliance, token, old + new)
    assert (again.status_code, again.json()["accepted"], again.json()["duplicates"]) == (200, 0, 5)
    assert again.json()["events"] == [
        {"id": one["id"], "deliveries": 1, "duplicate": True} for one in old + new
    ]
    eventually(lambda: settled(appliance, name))
    assert sorted(one.webhook_id for one in receiver.requests) == sorted(one["id"] for one in old + new)


def test_twins_inside_one_batch_are_one_event(appliance: Appliance, receiver: Receiver, place: Place) -> None:
    name, token = place
    appliance.webhook(name, receiver.url("/hook"))
    event = {"id": new_id(), **RINGING}
    answer = post(appliance, token, [event, {**event, "to": "other"}, event])
    assert (answer.status_code, answer.json()["accepted"], answer.json()["duplicates"]) == (202, 1, 2)
    assert [one["duplicate"] for one in answer.json()["events"]] == [False, True, True]
    eventually(lambda: settled(appliance, name))
    assert [one.json["to"] for one in receiver.requests] == [""]


# --- the same event again ---


def test_the_same_event_again_is_200_and_is_not_sent_again(
    appliance: Appliance, receiver: Receiver, place: Place
) -> None:
    name, token = place
    appliance.webhook(name, receiver.url("/hook"))
    event = {"id": new_id(), **RINGING}
    assert post(appliance, token, event).status_code == 202
    for changed in (event, {**event, "to": "5011"}, {**event, "thread_id": "another"}):
        answer = post(appliance, token, changed)
        assert (answer.status_code, answer.json()) == (
            200, {"id": event["id"], "deliveries": 1, "duplicate": True},
        )  # fmt: skip
    form = appliance.post("/api/events", data=event, headers={"Authorization": f"Bearer {token}"})
    assert (form.status_code, form.json()["duplicate"]) == (200, True)
    eventually(lambda: settled(appliance, name))
    assert len(receiver.requests) == 1 and event_count(appliance, name) == 1


def test_an_answer_to_a_new_event_does_not_speak_of_duplicates(appliance: Appliance, place: Place) -> None:
    event = {"id": new_id(), **RINGING}
    assert post(appliance, place[1], event).json() == {"id": event["id"], "deliveries": 0}


def test_the_same_event_at_the_same_moment_is_taken_once(
    appliance: Appliance, receiver: Receiver, place: Place
) -> None:
    """A PBX that gave up waiting and tries again, at another web process."""
    name, token = place
    appliance.webhook(name, receiver.url("/hook"))
    event = {"id": new_id(), **RINGING}

    def send(_: int) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        return requests.post(
            f"{appliance.url}/api/events", json=event, headers=headers, timeout=10
        ).status_code

    with ThreadPoolExecutor(12) as pool:
        statuses = sorted(pool.map(send, range(24)))
    assert statuses == [200] * 23 + [202]
    eventually(lambda: settled(appliance, name))
    assert len(receiver.requests) == 1


def test_one_id_with_another_type_or_status_is_another_event(
    appliance: Appliance, receiver: Receiver, place: Place
) -> None:
    name, token = place
    appliance.webhook(name, receiver.url("/hook"))
    appliance.webhook(name, receiver.url("/hook"), kind="media")
    shared = new_id()
    kinds = [
        ("incoming_call", "ringing"),
        ("incoming_call", "answered"),
        ("outgoing_call", "ringing"),
        ("voicemail", None),
        ("call_recording", None),
    ]
    events = [
        {"id": shared, "type": type_} | ({"subtype": subtype} if subtype else {}) for type_, subtype in kinds
    ]
    for event in events:
        answer = post(appliance, token, event)
        assert (answer.status_code, answer.json()) == (202, {"id": shared, "deliveries": 1})
    again = post(appliance, token, events)
    assert (again.status_code, again.json()["duplicates"]) == (200, 5)
    eventually(lambda: settled(appliance, name))
    got = {(one.json["type"], one.json.get("subtype")): one for one in receiver.requests}
    assert set(got) == set(kinds) and len(receiver.requests) == 5
    assert {one.json["id"] for one in receiver.requests} == {shared}
    # To a receiver that drops what it knows they have to be different messages.
    assert got[kinds[0]].webhook_id == shared
    for type_, subtype in kinds[1:]:
        wanted = uuid.uuid5(uuid.UUID(shared), f"{type_}/{subtype or ''}")
        assert got[type_, subtype].webhook_id == str(wanted)


def test_one_id_at_another_location_is_another_event(
    appliance: Appliance, receiver: Receiver, place: Place
) -> None:
    other = f"{place[0]} too"
    event = {"id": new_id(), **RINGING}
    for name, token in (place, (other, appliance.location(other))):
        appliance.webhook(name, receiver.url("/hook"))
        answer = post(appliance, token, event)
        assert (answer.status_code, answer.json()) == (202, {"id": event["id"], "deliveries": 1})
    assert [one.webhook_id for one in receiver.wait("/hook", 2)] == [event["id"]] * 2


def test_a_uuid_is_one_in_large_and_small_letters_and_is_sent_on_as_it_came(
    appliance: Appliance, receiver: Receiver, place: Place
) -> None:
    name, token = place
    appliance.webhook(name, receiver.url("/hook"))
    written = f"ABCDEF{new_id()[6:]}"
    assert post(appliance, token, {"id": written, **RINGING}).status_code == 202
    for spelling in (written.lower(), written.upper()):
        answer = post(appliance, token, {"id": spelling, **RINGING})
        assert (answer.status_code, answer.json()["duplicate"]) == (200, True)
    eventually(lambda: settled(appliance, name))
    assert [one.json["id"] for one in receiver.requests] == [written]
    assert receiver.requests[0].webhook_id == written


# --- the doors beside it ---


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_is_told_to_anybody(appliance: Appliance, path: str) -> None:
    answer = appliance.get(path)
    assert answer.status_code == 200 and answer.headers["Content-Type"] == "application/json"
    head = requests.head(appliance.url + path, timeout=10)
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize(
    "path", ["/api/", "/api/nothing", "/api/events/", "/api/events/t/", "/api/events/1/2"]
)
def test_an_unknown_api_address_is_a_problem_document_to_everybody(appliance: Appliance, path: str) -> None:
    for accept in ("*/*", "text/html,application/xhtml+xml,*/*;q=0.8", "application/json"):
        for method in (appliance.get, appliance.post):
            answer = method(path, headers={"Accept": accept})
            assert answer.status_code == 404
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert answer.json()["status"] == 404


def test_an_unknown_page_is_a_page_to_a_browser(appliance: Appliance) -> None:
    answer = appliance.get("/nothing/<b>", headers={"Accept": "text/html"})
    assert answer.status_code == 404 and answer.headers["Content-Type"].startswith("text/html")
    assert "<b>" not in answer.text and "unsafe" not in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/api/events", "/api/events/t/x"])
def test_the_hook_says_which_methods_it_has(appliance: Appliance, path: str) -> None:
    options = requests.options(appliance.url + path, timeout=10)
    assert options.status_code in (200, 204) and "POST" in options.headers["Allow"]
    put = requests.put(appliance.url + path, timeout=10)
    assert put.status_code == 405 and "POST" in put.headers["Allow"]


def test_a_head_of_the_hook_has_no_body(appliance: Appliance) -> None:
    of_the_list = requests.head(f"{appliance.url}/api/events", timeout=10)
    assert (of_the_list.status_code, of_the_list.content) == (401, b"")
    of_the_hook = requests.head(f"{appliance.url}/api/events/t/x", timeout=10)
    assert (of_the_hook.status_code, of_the_hook.content) == (405, b"")
    assert "GET" not in of_the_hook.headers["Allow"]


def test_answers_are_json_and_not_to_be_guessed_at(appliance: Appliance, place: Place) -> None:
    for answer in (post(appliance, place[1], RINGING), post(appliance, place[1], [RINGING])):
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "Set-Cookie" not in answer.headers
        json.loads(answer.content)


def test_a_content_type_of_the_json_family_is_json(appliance: Appliance, place: Place) -> None:
    for kind in ("application/json; charset=utf-8", "Application/JSON", "application/json;charset=UTF-8"):
        headers = {"Authorization": f"Bearer {place[1]}", "Content-Type": kind}
        assert appliance.post("/api/events", data=json.dumps(RINGING), headers=headers).status_code == 202
