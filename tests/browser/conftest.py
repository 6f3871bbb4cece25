"""Debian's Chromium, driven by Playwright; nothing is downloaded."""

import shutil
from typing import Any

import pytest
from conftest import need


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    chromium = shutil.which("chromium")
    need(chromium, "Chromium is missing: apt install chromium")
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
             "--disable-background-networking", "--disable-component-update"]  # fmt: skip
    return {**browser_type_launch_args, "executable_path": chromium, "args": quiet}
