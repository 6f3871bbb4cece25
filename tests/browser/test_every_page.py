"""Every page in a browser: no violation that axe-core finds, nothing that scrolls sideways, no complaint."""

from typing import Literal

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


# Width and scheme. All four pairs: --hypothesis-profile=soak.
VIEWS: list[tuple[int, Literal["light", "dark"]]] = [(1280, "light"), (390, "dark")]
THOROUGH = settings.get_current_profile_name() == "soak"
if THOROUGH:
    VIEWS += [(1280, "dark"), (390, "light")]


def test_every_page_is_accessible_and_fits(browser: Browser, appliance: Appliance, filled: Filled) -> None:
    """axe looks at a page in one of the views, in turn, and at the style guide in all: it has every part."""
    context = browser.new_context(base_url=appliance.url)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(f"{page.url}: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
    page.goto("/login")
    expect(page.get_by_label("Password")).to_be_focused()
    faults = [f"/login {fault}" for fault in violations(page)]
    log_in(page, appliance)
    for number, (name, path) in enumerate(filled.pages.items()):
        page.goto(path)
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
        for view in VIEWS:
            width, scheme = view
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=scheme)
            wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            if wide > 0:
                faults.append(f"{name} at {width}: scrolls sideways by {wide}")
            if THOROUGH or name == "styleguide" or view == VIEWS[number % 2]:
                faults += [f"{name} at {width}, {scheme}: {fault}" for fault in violations(page)]
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
