"""Courses through the API on a running appliance: what one answer made, the next ones change and delete.

schemathesis makes them by the appliance's own OpenAPI document. Its checks are on: no 5xx, no answer that is
not described, nothing that is still there after it was deleted. By hand.

.venv/bin/python tests/soak/api.py                   200 courses an operation, on SQLite
.venv/bin/python tests/soak/api.py --postgresql      on a PostgreSQL server of its own
.venv/bin/python tests/soak/api.py 20 --seed 17      20, as the seed says
"""

import argparse
import contextlib
import random
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from api_client import Client, new_key
from appliance import Appliance, PostgreSQL
from web.api.test_schemathesis import CONFIG, RATE


def main() -> int:
    """Run them. Returns schemathesis's exit status: 0 if all checks held."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("count", nargs="?", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--postgresql", action="store_true", help="instead of SQLite")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="spoke-") as folder, contextlib.ExitStack() as stack:
        url = ""
        if given.postgresql:
            server = PostgreSQL()
            stack.callback(server.close)
            url = server.new()
        appliance = Appliance(Path(folder), DATABASE_URL=url)
        stack.callback(appliance.end)
        appliance.location("Office")
        key = new_key(appliance)
        Client(appliance, key).made("/webhooks", location="Office", kind="call", url="http://crm.example/")
        status = _run(appliance, key, Path(folder), given.count, given.seed)
        assert appliance.answers("/readyz"), appliance.log
        return status


def _run(appliance: Appliance, key: str, folder: Path, count: int, seed: int) -> int:
    config = folder / "schemathesis.toml"
    config.write_text(CONFIG)
    command = [
        str(Path(sys.executable).parent / "st"), "--config-file", str(config),
        "run", f"{appliance.url}/api/openapi.json", "--header", f"Authorization: Bearer {key}",
        "--exclude-tag", "hook", "--phases", "stateful", "--checks", "all", "--continue-on-failure",
        "--max-examples", str(count), "--rate-limit", RATE, "--seed", str(seed),
    ]  # fmt: skip
    return subprocess.run(command, cwd=folder, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
