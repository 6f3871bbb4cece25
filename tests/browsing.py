"""The admin in a browser."""

from appliance import PASSWORD, Appliance
from playwright.sync_api import Page, expect


def log_in(page: Page, appliance: Appliance) -> None:
    """To the main page. Typing waits for the focus that the browser sets by itself, or Chromium complains."""
    page.goto(f"{appliance.url}/login")
    expect(page.get_by_label("Password")).to_be_focused()
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Integrations", exact=True)).to_be_visible()
