"""From a PBX's POST to the receiver, through the running appliance."""

import json
import uuid
from typing import Any

import pytest
from appliance import Appliance
from receiver import Receiver
from standardwebhooks import Webhook

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
SEED_MEDIA = {
    "id": "6d739560-1741-11ed-861d-0242ac120002",
    "thread_id": "54144414-9e16-49de-8830-b2475a8dc7ea",
    "to": "5010",
    "from": "+19203833100",
    "to_name": "Dade Murphy",
    "from_name": "Clearly IP",
    "type": "call_recording",
    "filename": "recording_2024-07-19 00:00:00 -0500_from:15053430650_to:5012-508_116612489.mp3",
    "content_type": "audio/mpeg",
    "attachments": "https://spoke.example/api/media/download/ad1c5ba3?expires=1721507312&signature=541",
}


@pytest.mark.parametrize("names", [("Dade Murphy", "Clearly IP"), ("Ünïcødé ☎", "名前 👩‍👩‍👧")])
def test_the_seeds_call_arrives_as_the_seed_has_it_and_verifies(
    appliance: Appliance, receiver: Receiver, place: tuple[str, str], names: tuple[str, str]
) -> None:
    name, token = place
    secret = appliance.webhook(name, receiver.url("/hook"))["secret"]
    sent = {**SEED_CALL, "to_name": names[0], "from_name": names[1]}
    answer = appliance.event(token, **sent)
    assert (answer.status_code, answer.json()) == (202, {"id": SEED_CALL["id"], "deliveries": 1})
    got = receiver.wait("/hook")[0]
    assert list(got.json.items()) == list(sent.items())
    assert got.headers["content-type"] == "application/json"
    assert got.headers["user-agent"].startswith("Spoke-Webhooks/")
    assert got.webhook_id == SEED_CALL["id"]
    assert Webhook(secret).verify(got.body, got.headers) == sent


def test_the_seeds_two_examples_are_two_events(
    appliance: Appliance, receiver: Receiver, place: tuple[str, str]
) -> None:
    name, token = place
    appliance.webhook(name, receiver.url("/calls"))
    appliance.webhook(name, receiver.url("/media"), kind="media")
    assert appliance.event(token, **SEED_CALL).json()["deliveries"] == 1
    answer = appliance.event(token, **SEED_MEDIA)
    assert (answer.status_code, answer.json()["deliveries"]) == (202, 1)
    got = receiver.wait("/media")[0]
    assert list(got.json.items()) == list(SEED_MEDIA.items())
    assert receiver.wait("/calls")[0].webhook_id == SEED_CALL["id"]
    assert got.webhook_id == str(uuid.uuid5(uuid.UUID(SEED_MEDIA["id"]), "call_recording/"))


def test_what_a_pbx_adds_is_passed_on_untouched(
    appliance: Appliance, receiver: Receiver, place: tuple[str, str]
) -> None:
    """Numbers keep their spelling and keys their order: the body is not a round trip through Python."""
    name, token = place
    appliance.webhook(name, receiver.url("/hook"))
    body = (
        '{"duration": 1.10, "zz": {"b": 1e2, "a": [true, null, "\\u00e9"]}, "type": "incoming_call", '
        '"big": 123456789012345678901234567890, "subtype": "ended", "aa": ""}'
    )
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    assert appliance.post("/api/events", data=body, headers=headers).status_code == 202
    text = receiver.wait("/hook")[0].body.decode()
    assert '"duration":1.10,"zz":{"b": 1e2, "a": [true, null, "\\u00e9"]}' in text
    assert text.endswith('"big":123456789012345678901234567890,"aa":""}')
    seed_part = list(json.loads(text))[:9]
    assert seed_part == list(SEED_CALL)


def test_what_is_absent_is_made_or_empty(
    appliance: Appliance, receiver: Receiver, place: tuple[str, str]
) -> None:
    name, token = place
    appliance.webhook(name, receiver.url("/calls"))
    appliance.webhook(name, receiver.url("/media"), kind="media")
    made = appliance.event(token, type="outgoing_call", subtype="busy", to=None).json()["id"]
    got: dict[str, Any] = receiver.wait("/calls")[0].json
    assert got["id"] == got["thread_id"] == made
    assert [got[field] for field in ("to", "from", "to_name", "from_name")] == [""] * 4
    assert got["timestamp"].endswith("Z")
    appliance.event(token, type="voicemail")
    got = receiver.wait("/media")[0].json
    assert [got[field] for field in ("filename", "content_type", "attachments")] == [None] * 3
    assert "timestamp" not in got and "subtype" not in got


def test_each_webhook_has_a_secret_of_its_own_and_a_rotated_one_signs_twice(
    appliance: Appliance, receiver: Receiver, place: tuple[str, str]
) -> None:
    name, token = place
    first = appliance.webhook(name, receiver.url("/hook"))
    second = appliance.cli("webhook", "rotate", first["id"])["secret"]
    appliance.event(token, type="incoming_call", subtype="ringing")
    got = receiver.wait("/hook")[0]
    assert first["secret"] != second and len(got.headers["webhook-signature"].split()) == 2
    for secret in (first["secret"], second):
        Webhook(secret).verify(got.body, got.headers)
