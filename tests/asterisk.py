"""A real Asterisk on loopback, built in half a minute where it is not yet."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from appliance import Appliance, eventually
from labkit import build, runner

from webhooks.data_dir import file_lock

LAB = Path(__file__).parent / "pbx" / "lab"

COURSES: dict[str, ModuleType] = runner.load(LAB / "courses")


class Lab:
    """One Asterisk; ``start`` and ``kill`` it, ``play`` a course of the lab's or of a test's own."""

    def __init__(self, running: Any) -> None:
        self.running = running
        self.info: dict[str, Any] = running.info

    @property
    def port(self) -> int:
        return int(self.info["ports"]["ami"])

    def play(self, course: str | ModuleType | Any) -> None:
        chosen = COURSES[course] if isinstance(course, str) else course
        # In a thread of its own: where a browser was used before, this one has a running loop.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(lambda: asyncio.run(runner.run(chosen, self.info))).result()

    def kill(self) -> None:
        """``kill -9`` of Asterisk; ``start`` brings it back on the same ports."""
        self.running.process.kill()
        self.running.process.wait()

    def start(self) -> None:
        self.running.start()

    def connect(self, appliance: Appliance, location: str, port: int | None = None) -> None:
        """Connect a location to it as its owner would, and wait until that is so."""
        appliance.invoke(
            "pbx", "connect", location, "asterisk", "--host", "127.0.0.1", "--port", port or self.port,
            "--user", self.info["adapter_user"], input=f"{self.info['secret']}\n",
        )  # fmt: skip
        eventually(lambda: state(appliance, location)["state"] == "connected", 20, every=0.2)
        # Its list of channels follows within a moment; what begins before that is told all the same.


def state(appliance: Appliance, location: str) -> dict[str, Any]:
    """How a location's connection is, as ``pbx status`` tells."""
    rows: list[dict[str, Any]] = appliance.cli("pbx", "status")
    return next(row for row in rows if row["location"] == location)


def build_or_skip(version: str) -> None:
    """Build an Asterisk unless it is there; one process at a time, as all use the same folder."""
    folder = build.cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with file_lock(folder / f"{version}.lock"):
            build.build(version, folder)
    except (build.BuildError, OSError) as problem:
        if os.environ.get("CI"):
            pytest.fail(f"no Asterisk {version}: {problem}")
        pytest.skip(f"no Asterisk {version} here: {problem}")
