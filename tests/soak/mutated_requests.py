"""Thousands of requests with faults against an appliance of its own. By hand.

.venv/bin/python tests/soak/mutated_requests.py                 2,000, on SQLite
.venv/bin/python tests/soak/mutated_requests.py --postgresql    on a PostgreSQL server of its own
.venv/bin/python tests/soak/mutated_requests.py 500 --seed 17   500, as the seed says
"""

import argparse
import contextlib
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from appliance import Appliance, PostgreSQL
from mutated import attack
from receiver import Receiver


def main() -> None:
    """Send them, and tell how they were answered."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("count", nargs="?", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--postgresql", action="store_true", help="instead of SQLite")
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="spoke-") as folder, contextlib.ExitStack() as stack:
        url = ""
        if given.postgresql:
            server = PostgreSQL()
            stack.callback(server.close)
            url = server.new()
        appliance, receiver = Appliance(Path(folder), DATABASE_URL=url), Receiver()
        try:
            began = time.monotonic()
            token = appliance.location("Office")
            seen = attack(appliance, receiver, ("Office", token), given.count, given.seed)
            print(f"{given.count} in {time.monotonic() - began:.0f} s: {dict(sorted(seen.items()))}")
        finally:
            appliance.end()
            receiver.close()


if __name__ == "__main__":
    main()
