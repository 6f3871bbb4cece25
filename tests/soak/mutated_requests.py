"""Thousands of requests with faults against an appliance of its own, on SQLite. By hand.

.venv/bin/python tests/soak/mutated_requests.py                 2,000
.venv/bin/python tests/soak/mutated_requests.py 500 --seed 17   500, as the seed says
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from appliance import Appliance
from mutated import attack
from receiver import Receiver


def main() -> None:
    """Send them, and tell how they were answered."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("count", nargs="?", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="spoke-") as folder:
        appliance, receiver = Appliance(Path(folder)), Receiver()
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
