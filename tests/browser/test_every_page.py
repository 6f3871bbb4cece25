"""Every page in a browser: no violation that axe-core finds, nothing that scrolls sideways, no complaint."""

import pytest
from appliance import Appliance
from browsing import log_in, violations
from hypothesis import settings
from playwright.sync_api import Browser, expect
from sample_data import Filled

pytestmark = [pytest.mark.browser, pytest.mark.databases("one")]
EMPTY = (
    "/",
    "/connect",
    "/zapier/connect",
    "/deliveries",
    "/events/unmatched",
    "/locations",
    "/inboxes",
    "/history",
    "/alerts",
)


# Each width and each scheme once; all four pairs: --hypothesis-profile=soak.
PAIRS = [(1280, "light"), (390, "dark")]
if settings.get_current_profile_name() == "soak":
    PAIRS += [(1280, "dark"), (390, "light")]


@pytest.mark.parametrize(("width", "scheme"), PAIRS)
def test_every_page_is_accessible_and_fits(
    browser: Browser, appliance: Appliance, filled: Filled, width: int, scheme: str
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
        base_url=appliance.url,
    )
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(f"{page.url}: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
    faults = []
    page.goto("/login")
    expect(page.get_by_label("Password")).to_be_focused()
    faults += [f"/login {fault}" for fault in violations(page)]
    log_in(page, appliance)
    for name, path in filled.pages.items():
        page.goto(path)
        closed = page.locator("details:not([open]) > summary:visible")
        while closed.count():
            closed.first.click()
        faults += [f"{name} {fault}" for fault in violations(page)]
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if wide > 0:
            faults.append(f"{name}: scrolls sideways by {wide}")
    context.close()
    assert faults == []
    assert [one for one in complaints if "status of 4" not in one] == []  # pages that are to answer so


def test_pages_that_are_empty_are_accessible_too(browser: Browser, start_appliance: object) -> None:
    appliance = start_appliance()  # type: ignore[operator]
    context = browser.new_context(base_url=appliance.url)
    page = context.new_page()
    log_in(page, appliance)
    for path in EMPTY:
        page.goto(path)
        assert violations(page) == [], path
        assert page.locator(".empty, form").count(), f"{path} says nothing"
    context.close()
