"""The pages of phone systems: what to enter, filled in; what each tells; and the causes."""

import html
import re
import secrets
from xml.etree import ElementTree

import pytest
from appliance import Appliance, Place, Visitor

from webhooks.pbx.causes import DIALSTATUS, Q850, SIP
from webhooks.pbx.systems import SYSTEMS

pytestmark = pytest.mark.databases("one")


def page(appliance: Appliance, place: Place, system: str) -> str:
    return f"/locations/{appliance.location_id(place[0])}/phone-systems/{system}"


def filled_in(visitor: Visitor, path: str, token: str) -> str:
    """The page's text once the visitor has entered the token."""
    assert visitor.post(f"{path}/token", token=token).headers["Location"] == path
    return html.unescape(visitor.get(path).text)


@pytest.mark.parametrize("system", SYSTEMS)
def test_each_system_has_a_page_that_is_filled_in(
    appliance: Appliance, visitor: Visitor, place: Place, system: str
) -> None:
    path = page(appliance, place, system)
    assert path in visitor.get(path.partition("/phone-systems")[0]).text
    door = f"{appliance.url}/api/pbx/{system}/t/"
    before = html.unescape(visitor.get(path).text)
    assert f"{door}TOKEN" in before and place[1] not in before
    assert f"{door}{place[1]}" in filled_in(visitor, path, place[1])
    assert place[1] not in visitor.get(path).text  # shown once


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_page_says_which_of_the_twenty_kinds_its_system_tells(
    appliance: Appliance, visitor: Visitor, place: Place, system: str
) -> None:
    text = visitor.get(page(appliance, place, system)).text
    told = SYSTEMS[system]
    assert text.count("<td>yes</td>") == len(told.kinds) and text.count("<td>–</td>") == 20 - len(told.kinds)
    assert ("only after its end" in text) is not told.live
    assert any(status == "ringing" for _, status in told.kinds) is told.live


def test_a_token_of_another_location_is_refused(appliance: Appliance, visitor: Visitor, place: Place) -> None:
    path = page(appliance, place, "yeastar")
    answer = visitor.post(f"{path}/token", token=appliance.location(f"Elsewhere {secrets.token_hex(4)}"))
    assert answer.status_code == 422 and "is not the token of" in answer.text
    assert 'aria-invalid="true"' in answer.text


def test_a_new_token_is_filled_in_and_the_old_one_is_still_taken(
    appliance: Appliance, visitor: Visitor, place: Place
) -> None:
    path = page(appliance, place, "3cx")
    asked = visitor.get(f"{path}/rotate").text
    assert "The old one is accepted for 24 hours" in asked and f'href="{path}">Cancel' in asked
    assert visitor.post(f"{path}/rotate").headers["Location"] == path
    found = re.search(r"/api/pbx/3cx/t/([\w-]{20,})", visitor.get(path).text)
    assert found and found[1] != place[1]
    for token in (place[1], found[1]):
        assert appliance.post(f"/api/pbx/3cx/t/{token}", json={}).status_code == 422
        assert visitor.post(f"{path}/token", token=token).status_code == 303
    refused = visitor.post(f"{path}/rotate")
    assert refused.status_code == 409 and "there cannot be a third" in refused.text
    visitor.post(path.replace("/phone-systems/3cx", "/end-token"))
    assert appliance.post(f"/api/pbx/3cx/t/{place[1]}", json={}).status_code == 401
    assert visitor.post(f"{path}/token", token=place[1]).status_code == 422


def test_what_3cx_makes_of_the_template_is_taken(
    appliance: Appliance, visitor: Visitor, place: Place
) -> None:
    path = page(appliance, place, "3cx")
    answer = visitor.post(f"{path}/template", token=place[1])
    assert 'filename="spoke-webhooks.xml"' in answer.headers["Content-Disposition"]
    request = ElementTree.fromstring(answer.content).find(".//Scenario[@Id='ReportCall']/Request")
    assert request is not None
    values = {
        "[CallType]": "Inbound", "[Number]": "+493012345678", "[Name]": "Ada", "[Agent]": "101",
        "[AgentFirstName]": "Grace", "[QueueExtension]": "", "[Duration]": "00:02:05",
    }  # fmt: skip
    body = {}
    for value in request.iter("Value"):
        text = value.text or ""
        body[value.attrib["Key"]] = "2026-11-24T08:00:00Z" if ".ToString(" in text else values[text]
    taken = appliance.post(request.attrib["Url"].removeprefix(appliance.url), json=body)
    assert taken.status_code == 202 and len(taken.json()["events"]) == 2, taken.text
    assert visitor.post(f"{path}/template", token="wrong").status_code == 422


def test_what_the_lines_for_freeswitch_name_is_an_open_door(
    appliance: Appliance, visitor: Visitor, place: Place
) -> None:
    text = filled_in(visitor, page(appliance, place, "freeswitch"), place[1])
    found = re.search(r"<configuration .*?</configuration>", text, re.DOTALL)
    assert found
    url = ElementTree.fromstring(found[0]).find(".//param[@name='url']")
    assert url is not None
    address = f"{url.attrib['value']}?uuid=1".removeprefix(appliance.url)
    assert appliance.post(address, data=b"{}").status_code == 422


def test_settings_are_kept_and_a_zone_that_is_none_is_refused(
    appliance: Appliance, visitor: Visitor, place: Place
) -> None:
    where = appliance.location_id(place[0])
    path, settings = f"/locations/{where}", f"/locations/{where}/phone-settings"
    refused = visitor.post(settings, time_zone="Mars/Base <1>")
    assert refused.status_code == 422 and "Mars/Base &lt;1&gt;" in refused.text
    assert visitor.post(settings, time_zone="Asia/Tokyo", internal="true").status_code == 303
    text = visitor.get(path).text
    assert 'value="Asia/Tokyo"' in text and "checked" in text
    call = {
        "call_id": "1", "time_start": "2022-04-27 19:00:00", "call_from": "2001", "call_to": "2002",
        "call_duration": 0, "talk_duration": 0, "status": "BUSY", "type": "Internal",
    }  # fmt: skip
    body = {"type": 30012, "msg": call}
    assert appliance.post(f"/api/pbx/yeastar/t/{place[1]}", json=body).json()["waiting"] == 1
    (view,) = appliance.rows("SELECT body FROM call_view WHERE location_id = :id", id=where)
    assert '"2022-04-27T10:00:00Z"' in view[0]
    refused = visitor.post(settings, country="XX")
    assert refused.status_code == 422 and "two letters such as DE" in html.unescape(refused.text)
    assert visitor.post(settings).status_code == 303
    assert appliance.post(f"/api/pbx/yeastar/t/{place[1]}", json=body).json()["waiting"] == 0


def test_the_causes_are_shown_with_reason_and_source(visitor: Visitor) -> None:
    text = html.unescape(visitor.get("/causes").text)
    for row in (*SIP, *Q850, *DIALSTATUS):
        assert f'<th scope="row">{row.code}</th>' in text and row.reason in text and row.source in text


def test_an_unknown_system_has_no_page(appliance: Appliance, visitor: Visitor, place: Place) -> None:
    assert visitor.get(page(appliance, place, "pigeons")).status_code == 404
    assert visitor.get("/locations/99999/phone-systems/3cx").status_code == 404
    short_secret = visitor.post(f"{page(appliance, place, 'yeastar')}/secret", secret="short")
    assert short_secret.status_code == 422 and "at least 8 characters" in short_secret.text
