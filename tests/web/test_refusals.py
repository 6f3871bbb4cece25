"""What the doors refuse is seen: on the location's page, in its list, by the command; never a token."""

import json
import uuid
from typing import Any

import pytest
from appliance import Appliance, Place, Visitor, basic, eventually


def refusals(appliance: Appliance, *name: str, count: int = 1) -> list[dict[str, Any]]:
    """The refusals of a location, once there are so many; without a name those without a known token."""

    def enough() -> Any:
        found = appliance.cli("location", "refusals", *name)
        return found if len(found) >= count else None

    found: list[dict[str, Any]] = eventually(enough)
    return found


def test_a_refused_event_is_shown_with_its_body_reason_and_caller(
    appliance: Appliance, place: Place, visitor: Visitor
) -> None:
    name, token = place
    for _ in range(2):
        answer = appliance.event(token, type="incoming_call", subtype="eaten", **{"from": "+4930123"})
        assert answer.status_code == 422
    found = refusals(appliance, name)
    assert sum(one["count"] for one in refusals(appliance, name)) == 2
    assert found[0]["status"] == 422 and "/subtype has to be one of" in found[0]["reason"]
    assert json.loads(found[0]["body"])["from"] == "+4930123"
    assert found[0]["door"] == "POST /api/events" and found[0]["caller"].startswith("127.0.0.1, python-req")
    where = appliance.location_id(name)
    page = visitor.get(f"/locations/{where}").text
    assert "Refused today: 2." in page and "/subtype has to be one of" in page
    listed = visitor.get(f"/locations/{where}/refusals").text
    assert "+4930123" in listed and "eaten" in listed


@pytest.mark.databases("one")
def test_no_token_is_kept_wherever_it_stood(appliance: Appliance, place: Place) -> None:
    name, token = place
    bad = {"type": "eaten", "note": token}
    doors = [
        appliance.post("/api/events", json=bad, headers={"Authorization": f"Bearer {token}"}),
        appliance.post("/api/events", json=bad, headers={"Authorization": basic("pbx", token)}),
        appliance.post(f"/api/events?token={token}", json=bad),
        appliance.post(f"/api/events/t/{token}", json=bad),
        appliance.post(f"/api/pbx/3cx/t/{token}", json=bad),
        appliance.get(f"/api/pbx/phones/t/{token}/missed?note={token}"),
        appliance.post(f"/api/evnts/t/{token}", json=bad),
        appliance.get(f"/api/events?token={token}"),
    ]
    assert [answer.status_code for answer in doors] == [422] * 6 + [404, 401]
    found = refusals(appliance, name, count=8 - 3)  # the first three may be alike
    assert token not in str(appliance.rows("SELECT * FROM refusal"))
    assert token not in str(found)
    assert {one["door"].partition("?")[0] for one in found} == {
        "POST /api/events", "POST /api/events/t/…", "POST /api/pbx/3cx/t/…", "GET /api/pbx/phones/t/…/missed",
        "POST /api/evnts/t/…", "GET /api/events",
    }  # fmt: skip


@pytest.mark.databases("one")
def test_a_paused_location_and_a_refused_recording_are_listed(appliance: Appliance, place: Place) -> None:
    name, token = place
    parts = {"event": (None, json.dumps({"type": "voicemail", "from": "5"})), "file": ("a.wav", b"no audio")}
    answer = appliance.post("/api/media", files=parts, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 422
    appliance.cli("location", "pause", name)
    assert appliance.event(token, type="incoming_call", subtype="ringing").status_code == 403
    found = {one["status"]: one for one in refusals(appliance, name, count=2)}
    assert json.loads(found[422]["body"])["type"] == "voicemail"
    assert "paused" in found[403]["reason"] and json.loads(found[403]["body"])["subtype"] == "ringing"


def test_what_has_no_known_token_is_listed_apart(appliance: Appliance, visitor: Visitor) -> None:
    mark, wrong = uuid.uuid4().hex, "wrong-token-that-nobody-has"
    assert appliance.event(wrong, type="incoming_call", subtype="ringing", note=mark).status_code == 401
    found = eventually(lambda: [one for one in appliance.cli("location", "refusals") if mark in one["body"]])
    assert found[0]["status"] == 401 and wrong not in str(found)
    page = visitor.get("/locations/refusals").text
    assert mark in page and wrong not in page


def test_the_last_200_are_kept_and_all_are_counted(appliance: Appliance, place: Place) -> None:
    name, _ = place
    where = appliance.location_id(name)
    service = appliance.app.extensions["spoke"].refusals
    from webhooks.services.refusals import Refused

    for number in range(21):
        for body in range(20):
            service.note(Refused(where, True, "POST /", 422, "no", "", f"{number}/{body}", 4))
        service.flush()
    rows = appliance.rows("SELECT body FROM refusal WHERE location_id = :id ORDER BY id", id=where)
    assert len(rows) == 200 and rows[-1].body.startswith("20/")
    (count,) = appliance.rows("SELECT sum(count) FROM refusal_count WHERE location_id = :id", id=where)
    assert count[0] == 420
