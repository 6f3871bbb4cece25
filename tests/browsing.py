"""The admin in a browser."""

import shutil

from appliance import PASSWORD, Appliance
from playwright.sync_api import Page, expect


def chromium() -> str | None:
    """Debian's Chromium. The shell without windows takes two thirds of the processor time of the whole."""
    return shutil.which("chromium-headless-shell") or shutil.which("chromium")


def log_in(page: Page, appliance: Appliance) -> None:
    """To the main page. Typing waits for the focus that the browser sets by itself, or Chromium complains."""
    page.goto(f"{appliance.url}/login")
    expect(page.get_by_label("Password")).to_be_focused()
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Integrations", exact=True)).to_be_visible()
