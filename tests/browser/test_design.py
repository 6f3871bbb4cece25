"""What pages do in place: the filter, the copy button, charts by keyboard, the main page's buttons."""

import uuid

import pytest
from appliance import Appliance, eventually
from browsing import log_in
from playwright.sync_api import Page, expect
from receiver import Receiver
from sample_data import call, states

pytestmark = [pytest.mark.browser, pytest.mark.databases("one")]


def test_the_filter_applies_as_it_is_changed_and_counts(
    page: Page, appliance: Appliance, receiver: Receiver, place: tuple[str, str]
) -> None:
    webhook = appliance.webhook(place[0], receiver.url("/filter"))["id"]
    name = f"Zoë {uuid.uuid4().hex[:8].translate(str.maketrans('0123456789', 'ghijklmnop'))}"
    call(appliance, place[1], "ringing", "missed", from_name=name)
    call(appliance, place[1], "ringing", from_name="somebody else")
    eventually(lambda: states(appliance, webhook) == ["delivered"] * 3)
    log_in(page, appliance)
    page.goto(f"{appliance.url}/deliveries")
    page.get_by_label("Number or name").fill(name.upper())
    expect(page.locator("#log").get_by_text("2 deliveries")).to_be_visible()
    page.get_by_label("Call status").focus()
    page.get_by_label("Call status").select_option("Missed")
    expect(page.locator("#log").get_by_text("1 delivery", exact=True)).to_be_visible()
    expect(page.get_by_label("Call status")).to_be_focused()
    page.reload()
    expect(page.locator("#log").get_by_text("1 delivery", exact=True)).to_be_visible()
    page.get_by_role("link", name="Clear filters").click()
    expect(page.get_by_label("Number or name")).to_have_value("")


def test_an_error_in_the_filter_is_told_in_place_and_goes_with_its_correction(
    page: Page, appliance: Appliance
) -> None:
    log_in(page, appliance)
    page.goto(f"{appliance.url}/deliveries?since=2026-01-02T00:00")
    page.get_by_label("Accepted until").fill("2026-01-01T00:00")
    fault = page.locator("#log").get_by_role("alert")
    expect(fault).to_have_text("The end of the span has to be after its start.")
    page.get_by_label("Accepted until").fill("2026-01-03T00:00")
    expect(fault).to_have_count(0)


def test_where_there_is_no_clipboard_the_text_is_selected_to_be_copied_by_hand(
    page: Page, appliance: Appliance, place: tuple[str, str]
) -> None:
    page.add_init_script("delete Navigator.prototype.clipboard; document.execCommand = () => false;")
    log_in(page, appliance)
    page.goto(f"{appliance.url}/locations/{appliance.location_id(place[0])}")
    button = page.locator('[data-copy="plain"]')
    button.click()
    expect(button).to_have_text("Press Ctrl+C")
    assert page.evaluate("getSelection().toString()") == page.locator("#plain").text_content()


def test_a_charts_values_are_told_to_the_keyboard(
    page: Page, appliance: Appliance, receiver: Receiver, place: tuple[str, str]
) -> None:
    webhook = appliance.webhook(place[0], receiver.url("/chart"))["id"]
    call(appliance, place[1], "ringing", "ended")
    eventually(lambda: states(appliance, webhook) == ["delivered"] * 2)
    log_in(page, appliance)
    page.goto(f"{appliance.url}/webhooks/{webhook}")
    page.locator("svg[data-reads]").first.focus()
    expect(page.get_by_text("delivered, 0 failed").last).to_be_visible()


def test_an_outage_is_seen_on_the_main_page_and_resent_from_there(
    page: Page, appliance: Appliance, receiver: Receiver, place: tuple[str, str]
) -> None:
    path = f"/{uuid.uuid4().hex}"
    receiver.answers[path] = [500, 500, 500, 200]
    name = f"Tickets {uuid.uuid4().hex[:6]}"
    webhook = appliance.webhook(place[0], receiver.url(path), description=name)["id"]
    call(appliance, place[1], "ringing")
    eventually(lambda: states(appliance, webhook) == ["failed"], seconds=30)
    log_in(page, appliance)
    trouble = page.get_by_role("list", name="What needs you").get_by_role("listitem").filter(has_text=name)
    expect(trouble).to_contain_text("The receiver answered 500.")
    expect(trouble).to_contain_text("1 delivery was never received")
    trouble.get_by_role("button", name="Resend it").click()
    eventually(lambda: states(appliance, webhook) == ["delivered"], seconds=30)
    page.goto(appliance.url)
    expect(page.get_by_text(name)).to_have_count(0)
