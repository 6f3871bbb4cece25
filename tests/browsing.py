"""The admin in a browser."""

import shutil
from pathlib import Path

from appliance import PASSWORD, Appliance
from playwright.sync_api import Page, expect

_AXE = (Path(__file__).parent / "browser" / "vendor" / "axe-4.14.1.min.js").read_text()
_RUN = """async () => {
    const found = await axe.run(document, {resultTypes: ['violations']});
    return found.violations.map(one => `${one.id}: ${one.nodes.map(node => node.html).join(' | ')}`);
}"""


def violations(page: Page) -> list[str]:
    """What axe-core finds that bars people from the page as it is shown."""
    if not page.evaluate("typeof axe !== 'undefined'"):
        page.evaluate(_AXE)
    found: list[str] = page.evaluate(_RUN)
    return found


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
