"""The page with the lines that make an Asterisk send its recordings and voicemails."""

import html

import pytest
from appliance import ROOT, Appliance, Place, Visitor

pytestmark = pytest.mark.databases("one")


def test_the_page_is_led_to_and_its_lines_are_filled_in_once(
    appliance: Appliance, visitor: Visitor, place: Place
) -> None:
    location = f"/locations/{appliance.location_id(place[0])}"
    path = f"{location}/asterisk/media"
    assert path in visitor.get(location).text and path in visitor.get(f"{location}/asterisk").text
    before = html.unescape(visitor.get(path).text)
    assert f'url = "{appliance.url}/api/media"' in before and "Bearer TOKEN" in before
    assert "recording ^{UNIQUEID} ^{CHANNEL(linkedid)}" in before and "externnotify = " in before
    refused = visitor.post(f"{path}/token", token="another")
    assert refused.status_code == 422 and "This is not the token of" in refused.text
    assert visitor.post(f"{path}/token", token=place[1]).headers["Location"] == path
    assert f"Bearer {place[1]}" in html.unescape(visitor.get(path).text)
    assert place[1] not in visitor.get(path).text


def test_a_new_token_stands_in_the_lines(appliance: Appliance, visitor: Visitor, place: Place) -> None:
    path = f"/locations/{appliance.location_id(place[0])}/asterisk/media"
    assert visitor.post(f"{path}/rotate").headers["Location"] == path
    page = visitor.get(path).text
    assert "Bearer TOKEN" not in page and "The old token is accepted for 24 hours." in page
    assert appliance.event(place[1], type="incoming_call", subtype="ringing").status_code == 202


def test_the_phone_system_fetches_the_script_without_a_log_in(appliance: Appliance) -> None:
    answer = appliance.get("/static/pbx/spoke-media.sh")
    assert answer.status_code == 200
    assert answer.content == (ROOT / "static" / "pbx" / "spoke-media.sh").read_bytes()
