"""schemathesis tries the API by its own document: no 5xx, no answer that is not described.

More by hand: ``SPOKE_SCHEMATHESIS=300 pytest tests/web/api/test_schemathesis.py`` makes so many examples an
operation. The seed is printed when it fails; ``SPOKE_SCHEMATHESIS_SEED`` repeats it.
"""

import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from api_client import Client, new_key
from appliance import Appliance, Place

# What a schema cannot say: that an address may be called, or that one time is after another.
CONFIG = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "304", "404", "409", "412", "415", "422"]
"""
RATE = "45/s"  # below a key's limit


@pytest.fixture
def run(appliance: Appliance, tmp_path: Path) -> Any:
    """Run schemathesis with a credential on the operations that ``options`` choose."""
    (tmp_path / "schemathesis.toml").write_text(CONFIG)

    def run(credential: str, *options: str) -> None:
        seed = os.environ.get("SPOKE_SCHEMATHESIS_SEED") or str(random.SystemRandom().randrange(10**6))
        command = [
            str(Path(sys.executable).parent / "st"), "--config-file", str(tmp_path / "schemathesis.toml"),
            "run", f"{appliance.url}/api/openapi.json", "--header", f"Authorization: Bearer {credential}",
            "--phases", "coverage,fuzzing", "--checks", "all", "--seed", seed, "--continue-on-failure",
            "--max-examples", os.environ.get("SPOKE_SCHEMATHESIS", "3"), "--rate-limit", RATE, *options,
        ]  # fmt: skip
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=1800)
        assert done.returncode == 0, f"seed {seed}\n{done.stdout}\n{done.stderr}"

    return run


@pytest.mark.databases("one")
def test_every_answer_of_the_api_is_one_that_the_document_describes(
    appliance: Appliance, place: Place, run: Any
) -> None:
    key = new_key(appliance)
    Client(appliance, key).made("/webhooks", location=place[0], kind="call", url="http://crm.example/")
    run(key, "--exclude-tag", "hook")


@pytest.mark.databases("one")
def test_every_answer_of_the_hook_is_one_that_the_document_describes(place: Place, run: Any) -> None:
    run(place[1], "--include-operation-id", "hook_events")
