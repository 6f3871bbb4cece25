"""Connecting Zapier, its key and its Zaps, and disconnecting it: with a script and without one."""

import uuid
from collections.abc import Iterator

import pytest
from api_client import Client
from appliance import Appliance, Place, eventually
from browsing import log_in, violations
from playwright.sync_api import Browser, Page, expect
from receiver import Receiver

pytestmark = [pytest.mark.browser, pytest.mark.databases("one")]


@pytest.fixture(params=[True, False], ids=["script", "no-script"])
def visit(browser: Browser, appliance: Appliance, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page, logged in."""
    context = browser.new_context(java_script_enabled=request.param, base_url=appliance.url)
    page = context.new_page()
    log_in(page, appliance)
    yield page
    context.close()


def test_zapier_is_connected_and_disconnected_again(
    visit: Page, appliance: Appliance, receiver: Receiver
) -> None:
    page, name = visit, f"Branch {uuid.uuid4().hex[:6]}"
    token = appliance.location(name)
    page.goto("/")
    page.get_by_role("link", name="Connect Zapier").click()
    page.get_by_label("Location").select_option(name)
    page.get_by_role("button", name="Authorize").click()
    expect(page.get_by_role("heading", name=f"{name} & Zapier")).to_be_visible()
    expect(page.get_by_text("No Zap yet")).to_be_visible()
    key = page.locator("#secret").inner_text()
    page.reload()
    expect(page.locator("#secret")).to_have_count(0)

    zapier, url = Client(appliance, key), receiver.url("/zap")
    made = zapier.made("/webhooks", kind="call", url=url, description="Call Event, Zap 42")
    appliance.ring(token)
    receiver.wait("/zap")
    page.goto("/")
    card = page.get_by_role("listitem").filter(has_text=f"{name} & Zapier")
    card.get_by_role("link", name="Manage Zapier").click()
    row = page.get_by_role("row").filter(has_text="Call Event, Zap 42")
    expect(row).to_contain_text("Any call")
    row.get_by_role("link", name="Call Event, Zap 42").click()
    expect(page.get_by_role("heading", name="Latest deliveries")).to_be_visible()
    expect(page.get_by_role("link", name="Rotate secret")).to_have_count(0)
    page.get_by_role("link", name=f"{name} & Zapier").click()

    page.get_by_role("link", name="Disconnect").click()
    expect(page.get_by_text("1 Zap is removed")).to_be_visible()
    page.get_by_role("button", name="Disconnect").click()
    expect(page.get_by_text("1 Zap was removed")).to_be_visible()
    expect(page.get_by_text(f"{name} & Zapier")).to_have_count(0)
    assert made["id"] not in [one["id"] for one in appliance.cli("webhook", "list")]
    eventually(lambda: [one.method for one in receiver.at("/zap")] == ["POST", "DELETE"])


def test_the_page_without_zaps_is_accessible(page: Page, appliance: Appliance, place: Place) -> None:
    log_in(page, appliance)
    page.goto(f"{appliance.url}/zapier/connect")
    page.get_by_label("Location").select_option(place[0])
    page.get_by_role("button", name="Authorize").click()
    expect(page.locator("#secret")).to_be_visible()
    assert violations(page) == []
