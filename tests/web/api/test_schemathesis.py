"""schemathesis tries the API by its own document: no 5xx, no answer that is not described.

All operations get some random requests; a third of them, others each time, also whatever lies at the edges of
their schemas. By hand all of it, with 300 examples an operation:
``SPOKE_SCHEMATHESIS=300 pytest tests/web/api/test_schemathesis.py``. The seed is printed when it fails;
``SPOKE_SCHEMATHESIS_SEED`` repeats it.
"""

import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from api_client import Client, new_key
from appliance import Appliance, Place

# What a schema cannot say: that an address may be called, or that one time is after another; and that an
# If-Match that no longer holds is told before a fault of the body.
CONFIG = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "304", "404", "409", "412", "415", "422"]

[checks.negative_data_rejection]
expected-statuses = ["400", "401", "404", "405", "409", "412", "415", "422"]

[phases.coverage]
unexpected-methods = []  # another test has them all
"""
RATE = "45/s"  # below a key's limit
NOT_HERE = "hook_media"  # a form with a file, which schemathesis does not make


def operations(document: dict[str, object]) -> list[str]:
    """The ids of all operations that are tried."""
    paths = document["paths"]
    assert isinstance(paths, dict)
    ids = {one["operationId"] for item in paths.values() for one in item.values()}
    return sorted(ids - {NOT_HERE})


def config(place: Place, without_edges: Sequence[str]) -> str:
    """Settings for schemathesis: a phone system's door wants its location's token."""
    ids = ", ".join(f'"{one}"' for one in without_edges if one != "hook_events")
    hook = "false" if "hook_events" in without_edges else "true"
    return f"""{CONFIG}
[[operations]]
include-operation-id = "hook_events"
headers = {{ Authorization = "Bearer {place[1]}" }}
phases.coverage.enabled = {hook}

[[operations]]
include-operation-id = [{ids}]
phases.coverage.enabled = false
"""


@pytest.mark.databases("one")
def test_every_answer_is_one_that_the_document_describes(
    appliance: Appliance, place: Place, tmp_path: Path
) -> None:
    key, examples = new_key(appliance), os.environ.get("SPOKE_SCHEMATHESIS")
    seed = os.environ.get("SPOKE_SCHEMATHESIS_SEED") or str(random.SystemRandom().randrange(10**6))
    client = Client(appliance, key)
    client.made("/webhooks", location=place[0], kind="call", url="http://crm.example/")
    names = operations(client("GET", "/openapi.json").json())
    others = [] if examples else random.Random(seed).sample(names, len(names) * 2 // 3)
    settings = tmp_path / "schemathesis.toml"
    settings.write_text(config(place, others))
    command = [
        str(Path(sys.executable).parent / "st"), "--config-file", str(settings),
        "run", f"{appliance.url}/api/openapi.json", "--header", f"Authorization: Bearer {key}",
        "--exclude-operation-id", NOT_HERE, "--phases", "coverage,fuzzing", "--checks", "all",
        "--seed", seed, "--continue-on-failure", "--max-examples", examples or "3", "--rate-limit", RATE,
    ]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, f"seed {seed}\n{done.stdout}\n{done.stderr}"
    assert f"{len(names)} selected" in done.stdout, done.stdout
    taken = "SELECT 1 FROM event e JOIN location l ON l.id = e.location_id WHERE l.name = :name"
    assert appliance.rows(taken, name=place[0]), "the hook took no event: its token is not sent"
