"""Courses through the API on a running appliance: what one answer made, the next ones change and delete.

schemathesis makes them by the links of the appliance's own OpenAPI document. Its checks are on: no 5xx, no
answer that is not described, nothing that is still there after it was deleted. It ends a round once the same
request is answered otherwise than before, as requests change what is there: so there are many. By hand.

.venv/bin/python tests/soak/api.py                   40 rounds, on SQLite: 10 minutes
.venv/bin/python tests/soak/api.py --postgresql      on a PostgreSQL server of its own
.venv/bin/python tests/soak/api.py 1 --seed 17       one, as the seed says
"""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from api_client import Client, new_key
from soak.start import Started, read_arguments, started
from web.api.test_schemathesis import CONFIG, RATE

_COURSES: Final = 100  # of a round, at most


def main() -> int:
    """Run them. Returns how many rounds found something."""
    given = read_arguments(__doc__, 40)
    failed, followed = 0, Counter[str]()
    with started(given) as soak:
        key = _fill(soak)
        document = _document(soak, key)
        links = _links(document)
        (soak.folder / "openapi.json").write_text(json.dumps(document))
        for number in range(given.count):
            failed += _run(soak, key, given.seed + number)
            followed += _followed(soak.folder / "reports")
            of_links = f"{len(links & followed.keys())} of {len(links)} links followed"
            print(f"round {number + 1}, seed {given.seed + number}: {of_links}, {failed} failed", flush=True)
        assert soak.appliance.answers("/readyz"), soak.appliance.log
    print(f"{followed.total()} links followed; never: {', '.join(sorted(links - followed.keys())) or 'none'}")
    return failed


def _fill(soak: Started) -> str:
    """Make what a course can begin with: deliveries that arrived, and some that failed. Returns a key."""
    appliance, receiver, (name, token), _ = soak
    receiver.answers["/no"] = [500]
    key = new_key(appliance)
    client = Client(appliance, key)
    for path in ("/yes", "/no"):
        client.made("/webhooks", location=name, kind="call", url=receiver.url(path))
    for number in range(20):
        appliance.ring(token, thread_id=f"call {number}")
    return key


def _document(soak: Started, key: str) -> dict[str, Any]:
    """The OpenAPI document, with values that a person knows and a schema does not: what is there."""
    document: dict[str, Any] = Client(soak.appliance, key)("GET", "/openapi.json").json()
    webhook = document["components"]["schemas"]["NewWebhook"]
    webhook["required"].append("location")
    webhook["properties"]["location"] = {"enum": [soak.place[0]]}
    webhook["properties"]["url"] = {"enum": [soak.receiver.url(path) for path in ("/yes", "/no")]}
    for path in ("/api/deliveries", "/api/events", "/api/locations", "/api/webhooks"):
        listed = document["paths"][path]["get"]  # most filters would find nothing
        listed["parameters"] = [one for one in listed["parameters"] if one["name"] == "limit"]
    options = document["components"]["schemas"]["Options"]["properties"]
    for certificate in ("ca", "client_certificate", "client_key"):
        options[certificate] = {"type": "null"}
    return document


def _links(document: dict[str, Any]) -> set[str]:
    """The document's links, as schemathesis names them."""
    place = {
        operation["operationId"]: f"{method.upper()} {path}"
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }
    return {
        f"{place[operation['operationId']]} -> [{status}] {name} -> {place[name]}"
        for item in document["paths"].values()
        for operation in item.values()
        for status, answer in operation["responses"].items()
        for name in answer.get("links", ())
    }


def _run(soak: Started, key: str, seed: int) -> int:
    """Run a round. Returns 1 if a check failed; what schemathesis says of it is printed."""
    config = soak.folder / "schemathesis.toml"
    config.write_text(CONFIG)
    command = [
        str(Path(sys.executable).parent / "st"), "--config-file", str(config),
        "run", str(soak.folder / "openapi.json"), "--url", soak.appliance.url,
        "--header", f"Authorization: Bearer {key}", "--exclude-tag", "hook", "--phases", "stateful",
        "--checks", "all", "--continue-on-failure", "--max-examples", str(_COURSES), "--rate-limit", RATE,
        "--seed", str(seed), "--report", "ndjson", "--report-dir", str(soak.folder / "reports"),
    ]  # fmt: skip
    done = subprocess.run(command, cwd=soak.folder, check=False, capture_output=True, text=True)
    if done.returncode:
        print(done.stdout, done.stderr, sep="\n", flush=True)
    return int(done.returncode != 0)


def _followed(reports: Path) -> Counter[str]:
    """How often each link was followed in a round. Takes its report away."""
    found = Counter[str]()
    for report in reports.iterdir():
        for line in report.read_text().splitlines():
            scenario = json.loads(line).get("ScenarioFinished", {})
            cases = scenario.get("recorder", {}).get("cases", {}).values()
            found.update(case["transition"]["id"] for case in cases if case.get("is_transition_applied"))
        report.unlink()
    return found


if __name__ == "__main__":
    sys.exit(main())
