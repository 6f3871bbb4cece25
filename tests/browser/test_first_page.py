"""The first page, as a person sees it."""

import uuid
from pathlib import Path

import pytest
from machine import PASSWORD, Appliance, eventually
from playwright.sync_api import Page, expect
from receiver import Answer, Receiver

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_after_log_in_a_person_sees_what_happened(
    appliance: Appliance,
    receiver: Receiver,
    place: tuple[str, str],
    page: Page,
    tmp_path: Path,
    width: int,
    scheme: str,
) -> None:
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    webhook = appliance.webhook(place[0], receiver.url("/hook"))
    receiver.answers["/hook"] = [Answer(500, body=b"no room at the inn"), 200]
    name = f"<b>Mallory</b> {uuid.uuid4()}"
    appliance.event(place[1], type="incoming_call", subtype="missed", from_name=name)
    listed = ("delivery", "list", "--webhook", webhook["id"])
    eventually(lambda: appliance.cli(*listed)[0]["state"] == "delivered")

    page.goto(appliance.url)
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    expect(page.get_by_label("Password")).to_be_focused()  # a key pressed before would be lost
    page.get_by_label("Password").fill("not it")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("That is not the password.")
    expect(page.get_by_label("Password")).to_be_focused()
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=place[0])).to_be_visible()
    row = page.get_by_role("table", name="The latest deliveries").get_by_role("row").nth(1)
    expect(row).to_contain_text("Incoming Call, Missed")
    expect(row).to_contain_text("Delivered")
    row.get_by_text("1. 500").click()
    expect(row).to_contain_text("no room at the inn")
    row.get_by_text("What is sent").click()
    expect(row).to_contain_text(name)
    page.screenshot(path=tmp_path / f"{width}-{scheme}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"
    assert [one for one in complaints if "status of 422" not in one] == []  # the wrong password's
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
