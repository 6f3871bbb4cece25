"""The seed's setup as its words say it, end to end: with a script, without one, and by the keyboard alone."""

import re
import uuid
from collections.abc import Iterator

import pytest
from appliance import PASSWORD, Appliance
from browsing import log_in
from playwright.sync_api import Browser, Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.databases("one")]


@pytest.fixture(params=[True, False], ids=["script", "no-script"])
def visit(browser: Browser, appliance: Appliance, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page, logged in; complaints in its console fail the test."""
    context = browser.new_context(java_script_enabled=request.param, base_url=appliance.url)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    log_in(page, appliance)
    yield page
    assert complaints == []
    context.close()


def test_the_seeds_setup_ends_with_a_message_in_the_test_inbox(visit: Page, appliance: Appliance) -> None:
    page, name = visit, f"ClearlyCloud {uuid.uuid4().hex[:6]}"
    token = appliance.location(name)
    page.goto("/")
    page.get_by_role("link", name="Connect", exact=True).click()
    page.get_by_label("Location", exact=True).select_option(name)
    page.get_by_role("button", name="Authorize").click()
    expect(page.get_by_role("heading", name="Active integrations")).to_be_visible()
    card = page.get_by_role("listitem").filter(has_text=f"{name} & Webhooks")
    card.get_by_role("link", name="Manage Webhooks").click()
    page.get_by_role("link", name="Add New Call Webhook").click()
    page.get_by_label("Call type").select_option("Incoming Call")
    page.get_by_label("Call status").select_option("Missed")
    page.get_by_role("button", name="Use a new test inbox").click()
    expect(page.get_by_label("URL")).to_have_value(re.compile(r"/inbox/"))
    expect(page.get_by_label("Call status")).to_have_value("missed")
    expect(page.get_by_label("Request body")).to_contain_text('"subtype": "missed"')
    page.get_by_role("button", name="Add webhook").click()
    expect(page.get_by_text("whsec_")).to_be_visible()
    page.get_by_role("link", name="Open the test inbox").click()
    expect(page.get_by_text("Nothing received yet")).to_be_visible()
    mark = uuid.uuid4().hex
    event = {"type": "incoming_call", "subtype": "missed", "from": "+19203833100", "from_name": mark}
    assert appliance.event(token, **event).status_code == 202
    if not page.evaluate("1 + 1 == 2 && typeof htmx !== 'undefined'"):  # the page cannot renew itself
        for _ in range(50):
            page.get_by_role("link", name="Refresh").click()
            if page.get_by_text(mark).is_visible():
                break
            page.wait_for_timeout(100)
    expect(page.get_by_text(mark)).to_be_visible()
    expect(page.get_by_text("The signature is valid")).to_be_visible()


def test_the_sample_follows_the_choices(visit: Page, appliance: Appliance, place: tuple[str, str]) -> None:
    page = visit
    where = appliance.location_id(place[0])
    page.goto(f"/locations/{where}/webhooks/new/media")
    page.get_by_label("Media type").select_option("Call Recording")
    preview = page.get_by_role("button", name="Show the sample")
    if preview.is_visible():
        preview.click()
        expect(page.get_by_label("Media type")).to_have_value("call_recording")
    expect(page.get_by_label("Request body")).to_contain_text('"type": "call_recording"')
    expect(page.get_by_label("Request body")).to_contain_text("signature=")


def test_several_statuses_are_ticked_beside_the_list(
    visit: Page, appliance: Appliance, place: tuple[str, str]
) -> None:
    page = visit
    page.goto(f"/locations/{appliance.location_id(place[0])}/webhooks/new/call")
    expect(page.get_by_label("Call type")).to_have_value("")
    page.get_by_label("Call status").select_option("Missed")
    page.get_by_text("Choose several").click()
    page.get_by_label("Busy", exact=True).check()
    page.get_by_label("No answer", exact=True).check()
    if page.get_by_role("button", name="Show the sample").is_visible():
        page.get_by_role("button", name="Show the sample").click()
        expect(page.get_by_label("Busy", exact=True)).to_be_checked()
    expect(page.get_by_label("Sample payload")).to_contain_text(
        "Sent for Any call, Missed, Busy or No answer."
    )
    page.get_by_label("URL").fill("https://crm.example/lost")
    page.get_by_role("button", name="Add webhook").click()
    expect(page.get_by_role("heading", name="Any call, Missed, Busy or No answer")).to_be_visible()
    added = [one for one in appliance.cli("webhook", "list") if one["location"] == place[0]]
    assert [one["statuses"] for one in added] == [["missed", "busy", "no_answer"]]


def test_a_test_message_shows_its_result(visit: Page, appliance: Appliance, place: tuple[str, str]) -> None:
    webhook = appliance.webhook(place[0], "http://127.0.0.1:1/")["id"]
    visit.goto(f"/webhooks/{webhook}")
    visit.get_by_role("button", name="Send test").click()
    look = visit.get_by_role("link", name="Show the delivery")
    if visit.evaluate("typeof htmx !== 'undefined'"):
        expect(visit.get_by_text("refused the connection").first).to_be_visible()
        look.click()
    else:
        visit.wait_for_timeout(300)
        visit.reload()
    expect(visit.get_by_role("heading", name="Attempts")).to_be_visible()
    expect(visit.get_by_text("refused the connection").first).to_be_visible()


def test_new_deliveries_appear_by_themselves(
    page: Page, appliance: Appliance, place: tuple[str, str]
) -> None:
    log_in(page, appliance)
    appliance.webhook(place[0], "http://127.0.0.1:1/")
    page.goto(f"{appliance.url}/deliveries")
    mark = uuid.uuid4().hex[:12]
    appliance.event(place[1], type="incoming_call", subtype="ringing", from_name=mark)
    row = page.get_by_role("row").filter(has_text=mark)
    expect(row).to_be_visible()
    expect(row).to_contain_text("Failed", timeout=15_000)


def test_the_keyboard_alone_completes_the_setup(page: Page, appliance: Appliance) -> None:
    page.goto(appliance.url)
    expect(page.get_by_label("Password")).to_be_focused()
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    name = f"Keys {uuid.uuid4().hex[:6]}"
    appliance.location(f"waits {uuid.uuid4().hex[:6]}")  # so that Connect is there
    expect(page.get_by_role("heading", name="Integrations", exact=True)).to_be_visible()
    page.reload()
    press(page, "Connect")
    expect(page.get_by_role("heading", name="Connect Webhooks")).to_be_visible()
    press(page, "Add a new location instead")
    tab_to(page, "New location")
    page.keyboard.type(name)
    page.keyboard.press("Enter")
    expect(page.get_by_text(f"{name} & Webhooks")).to_be_visible()
    card = page.get_by_role("listitem").filter(has_text=f"{name} & Webhooks")
    place = card.get_by_role("link", name="Manage Webhooks").get_attribute("href")
    tab_until(page, f"document.activeElement.getAttribute('href') === {place!r}")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Call Webhooks")).to_be_visible()
    press(page, "Add New Call Webhook")
    expect(page.get_by_role("heading", name="New call webhook")).to_be_visible()
    tab_to(page, "Call type")
    page.keyboard.type("Out")
    tab_to(page, "URL")
    page.keyboard.type("https://crm.example/hook")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Outgoing Call, any status")).to_be_visible()
    added = [one for one in appliance.cli("webhook", "list") if one["location"] == name]
    assert [(one["types"], one["url"]) for one in added] == [(["outgoing_call"], "https://crm.example/hook")]


def test_a_double_click_adds_one_webhook(page: Page, appliance: Appliance, place: tuple[str, str]) -> None:
    log_in(page, appliance)
    where = appliance.location_id(place[0])
    page.goto(f"{appliance.url}/locations/{where}/webhooks/new/call")
    page.get_by_label("URL").fill("https://crm.example/")
    page.get_by_role("button", name="Add webhook").dblclick()
    expect(page.get_by_text("whsec_")).to_be_visible()
    assert len([one for one in appliance.cli("webhook", "list") if one["location"] == place[0]]) == 1


def test_another_theme_costs_nothing_that_was_typed(
    page: Page, appliance: Appliance, place: tuple[str, str]
) -> None:
    log_in(page, appliance)
    where = appliance.location_id(place[0])
    page.goto(f"{appliance.url}/locations/{where}/webhooks/new/call")
    page.get_by_label("URL").fill("https://crm.example/")
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.get_by_label("URL")).to_have_value("https://crm.example/")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_what_was_refused_in_place_is_told_in_place(
    page: Page, appliance: Appliance, place: tuple[str, str]
) -> None:
    webhook = appliance.webhook(place[0], "https://crm.example/")["id"]
    log_in(page, appliance)
    page.goto(f"{appliance.url}/webhooks/{webhook}")
    appliance.cli("webhook", "delete", webhook)
    page.get_by_role("button", name="Send test").click()
    expect(page.get_by_text("The request was refused (404")).to_be_visible()


def tab_until(page: Page, reached: str) -> None:
    """Press Tab until the expression is true; every stop on the way has to be visible."""
    for _ in range(400):
        page.keyboard.press("Tab")
        seen = "document.activeElement.checkVisibility() && getComputedStyle(document.activeElement)"
        assert page.evaluate(f"{seen}.outlineStyle !== 'none'"), "the focus cannot be seen"
        if page.evaluate(reached):
            return
    raise AssertionError(f"the keyboard does not reach {reached}")


def tab_to(page: Page, label: str) -> None:
    tab_until(page, f"document.activeElement.labels?.[0]?.textContent.trim() === {label!r}")


def press(page: Page, words: str) -> None:
    tab_until(page, f"document.activeElement.textContent.trim() === {words!r}")
    page.keyboard.press("Enter")
