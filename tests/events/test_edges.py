"""What PBXs really send, through the appliance: ids that are no UUIDs, a charset of the header."""

import uuid

from appliance import Appliance, eventually
from receiver import Receiver

CALL = {"type": "incoming_call", "subtype": "ringing"}


def test_such_an_id_is_the_same_for_ever_at_one_location_and_at_no_other(
    appliance: Appliance, receiver: Receiver, place: tuple[str, str]
) -> None:
    name, token = place
    appliance.webhook(name, receiver.url("/hook"))
    first = appliance.event(token, id="1732551234.57", **CALL)
    assert first.status_code == 202
    appliance.cli("location", "rename", name, f"{name} new")
    token = appliance.cli("location", "rotate", f"{name} new")["token"]
    again = appliance.event(token, id="1732551234.57", **CALL)
    assert (again.status_code, again.json()["duplicate"], again.json()["id"]) == (
        200, True, first.json()["id"],
    )  # fmt: skip
    ended = appliance.event(token, id="1732551234.57", type="incoming_call", subtype="ended")
    assert (ended.status_code, ended.json()["id"]) == (202, first.json()["id"])
    batch = appliance.post(
        "/api/events",
        json=[{"id": "1732551234.57", **CALL}, {"id": "1732551234.58", **CALL}],
        headers={"Authorization": f"Bearer {token}"},
    ).json()
    assert [one["duplicate"] for one in batch["events"]] == [True, False]
    other = appliance.event(appliance.location(f"{name} too"), id="1732551234.57", **CALL)
    assert other.status_code == 202 and other.json()["id"] != first.json()["id"]
    eventually(lambda: len(receiver.requests) == 3)
    by_status = {one.json["subtype"]: one for one in receiver.requests if one.json["source_id"][-1] == "7"}
    assert by_status["ringing"].webhook_id == by_status["ringing"].json["id"] == first.json()["id"]
    wanted = uuid.uuid5(uuid.UUID(first.json()["id"]), "incoming_call/ended")
    assert by_status["ended"].webhook_id == str(wanted)


def test_a_charset_of_the_header_is_obeyed(
    appliance: Appliance, receiver: Receiver, place: tuple[str, str]
) -> None:
    appliance.webhook(place[0], receiver.url("/hook"), kind="media")
    kind = 'application/x-www-form-urlencoded; charset="iso-8859-1"'
    headers = {"Authorization": f"Bearer {place[1]}", "Content-Type": kind, "Content-Encoding": "identity"}
    answer = appliance.post("/api/events", data=b"type=voicemail&to_name=J%FCrgen&from=+49", headers=headers)
    assert answer.status_code == 202, answer.text
    got = receiver.wait("/hook")[0].json
    assert (got["to_name"], got["from"]) == ("Jürgen", "+49")
