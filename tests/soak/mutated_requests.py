"""Thousands of requests with faults against an appliance of its own. By hand.

.venv/bin/python tests/soak/mutated_requests.py                 2,000, on SQLite
.venv/bin/python tests/soak/mutated_requests.py --postgresql    on a PostgreSQL server of its own
.venv/bin/python tests/soak/mutated_requests.py 500 --seed 17   500, as the seed says
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mutated import attack
from soak.start import read_arguments, started


def main() -> None:
    """Send them, and tell how they were answered."""
    given = read_arguments(__doc__, 2000)
    with started(given) as (appliance, receiver, place, _):
        began = time.monotonic()
        seen = attack(appliance, receiver, place, given.count, given.seed)
        print(f"{given.count} in {time.monotonic() - began:.0f} s: {dict(sorted(seen.items()))}")


if __name__ == "__main__":
    main()
