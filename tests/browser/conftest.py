"""Debian's Chromium, driven by Playwright; nothing is downloaded."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from appliance import Appliance
from browsing import chromium
from conftest import need


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    need(chromium(), "Chromium is missing: apt install chromium-headless-shell")
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
             "--disable-background-networking", "--disable-component-update"]  # fmt: skip
    return {**browser_type_launch_args, "executable_path": chromium(), "args": quiet}


@pytest.fixture(scope="session")
def appliance(
    tmp_path_factory: pytest.TempPathFactory, database: Callable[..., dict[str, Any]]
) -> Iterator[Appliance]:
    """One for the browser's tests alone: with the locations of all others the main page has further pages."""
    running = Appliance(tmp_path_factory.mktemp("browser"), SPOKE_RETRY_SCHEDULE="1,1", **database())
    yield running
    running.end()
