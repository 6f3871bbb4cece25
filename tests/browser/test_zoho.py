"""Connect a location to Zoho PhoneBridge and disconnect it, as a person does, with and without JavaScript."""

import uuid
from collections.abc import Iterator

import pytest
from appliance import PASSWORD, Appliance
from browsing import violations
from playwright.sync_api import Browser, Locator, Page, expect
from zoho.fake_zoho import CLIENT_ID, CLIENT_SECRET, FakeZoho

pytestmark = [pytest.mark.browser, pytest.mark.databases("one")]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Appliance, FakeZoho]]:
    zoho = FakeZoho()
    one = Appliance(tmp_path_factory.mktemp("zoho"), **zoho.environment)
    yield one, zoho
    one.end()
    zoho.close()


@pytest.mark.parametrize(("script", "width"), [(True, 1280), (True, 390), (False, 1280)])
def test_a_person_connects_and_disconnects(
    browser: Browser, running: tuple[Appliance, FakeZoho], script: bool, width: int
) -> None:
    appliance, zoho = running
    office = f"Office {uuid.uuid4().hex[:6]}"
    appliance.location(office)
    context = browser.new_context(
        base_url=appliance.url, java_script_enabled=script, viewport={"width": width, "height": 900}
    )
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))

    def look() -> None:
        if script:
            faults.extend(f"{page.url} {fault}" for fault in violations(page))
            wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            faults.extend([f"{page.url} scrolls sideways by {wide}"] if wide > 0 else [])

    page.goto("/login")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("link", name="Connect Zoho PhoneBridge").click()
    look()
    page.get_by_label("Location").select_option(office)
    page.get_by_label("Client ID").fill(CLIENT_ID)
    page.get_by_label("Client secret").fill(CLIENT_SECRET)
    page.get_by_role("button", name="Authorize", exact=True).click()
    look()
    page.get_by_role("link", name="Authorize at Zoho").click()  # there it is accepted at once
    if not script:
        page.get_by_role("button", name="Go on").click()
    expect(
        page.get_by_text(f"{office} is connected to Zoho PhoneBridge. It has 3 users there")
    ).to_be_visible()
    look()
    page.get_by_label("Ada Lovelace").fill("5010, 5011")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_label("Ada Lovelace")).to_have_value("5010, 5011")
    before = len(zoho.notices)
    appliance.cli("event", "send", "--location", office, "--type", "incoming_call", "--status", "ringing")
    told = zoho.wait(before + 1)[-1]
    assert (told["state"], told["zohouser"]) == ("ringing", "z10")
    page.goto("/")
    look()
    own = card(page, f"{office} & Zoho PhoneBridge")
    own.get_by_role("link", name="Manage Zoho PhoneBridge").click()
    look()
    page.get_by_role("link", name="Disconnect").click()
    look()
    page.get_by_role("button", name="Disconnect").click()
    expect(page.get_by_text(f"{office} is disconnected from Zoho PhoneBridge.")).to_be_visible()
    expect(card(page, f"{office} & Zoho PhoneBridge")).to_have_count(0)
    context.close()
    assert faults == [] and zoho.faults == []


def card(page: Page, title: str) -> Locator:
    return page.get_by_role("listitem").filter(has=page.get_by_role("heading", name=title, exact=True))
