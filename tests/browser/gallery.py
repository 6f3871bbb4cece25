"""Every page as a picture, wide and narrow, light and dark, empty and full: to be looked at.

.venv/bin/python tests/browser/gallery.py /tmp/pictures            all pages
.venv/bin/python tests/browser/gallery.py --readme                 the README's four, in their place
"""
# ruff: noqa: E402  # where modules and data lie has to be said before they are loaded

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Literal

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "browser"), str(TESTS), str(TESTS.parent)]

# The module `app` makes an application of its own when it is loaded: not in the checkout.
os.environ["SPOKE_DATA_DIR"] = tempfile.mkdtemp(prefix="spoke-gallery-")

from appliance import Appliance
from browsing import chromium, log_in
from playwright.sync_api import Browser, sync_playwright
from receiver import Receiver
from sample_data import fill

EMPTY = {"main": "/", "connect": "/connect", "deliveries": "/deliveries", "unmatched": "/events/unmatched",
         "locations": "/locations", "inboxes": "/inboxes", "history": "/history"}  # fmt: skip
Scheme = Literal["light", "dark"]
README_PAGES = {1280: ("main", "new-call", "delivery"), 390: ("deliveries",)}
README = TESTS / "browser" / "screenshots"


def shoot(
    browser: Browser,
    appliance: Appliance,
    pages: dict[str, str],
    out: Path,
    widths: tuple[int, ...] = (390, 768, 1280, 1920),
    schemes: tuple[Scheme, ...] = ("light", "dark"),
    end: str = "",
    whole: bool = True,
) -> None:
    """Pictures of pages, by name, in each width and colour scheme; ``whole`` or what the window shows."""
    for width in widths:
        for scheme in schemes:
            context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
            page = context.new_page()
            log_in(page, appliance)
            for name, path in pages.items():
                page.goto(appliance.url + path)
                page.screenshot(path=out / f"{name}{end}-{width}-{scheme}.png", full_page=whole)
            context.close()


def main(arguments: list[str]) -> None:
    readme = arguments == ["--readme"]
    out = README if readme else Path(arguments[0])
    out.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="gallery-"))
    appliance = Appliance(folder, SPOKE_RETRY_SCHEDULE="1,1")
    receiver = Receiver()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"]
        )
        try:
            if not readme:
                shoot(browser, appliance, EMPTY, out, end="-empty")
            pages = fill(appliance, receiver).pages
            if readme:
                for width, names in README_PAGES.items():
                    chosen = {name: pages[name] for name in names}
                    shoot(browser, appliance, chosen, out, (width,), ("light",), whole=width > 390)
            else:
                shoot(browser, appliance, pages, out)
        finally:
            browser.close()
            receiver.close()
            appliance.end()
            shutil.rmtree(folder)
            shutil.rmtree(os.environ["SPOKE_DATA_DIR"], ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1:])
