"""Many rounds of the fault tests, each with another seed. By hand; takes as long as you let it.

.venv/bin/python tests/soak/run.py                      20 rounds of every crash and fault
.venv/bin/python tests/soak/run.py --rounds 5 clock     5 rounds of what has "clock" in its name
SEED=123 .venv/bin/pytest tests/runtime/test_crashes.py one round again, with the seed that it printed
"""

import argparse
import random
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FAULTS = (
    "tests/runtime/test_crashes.py",
    "tests/dispatcher/test_faults.py",
    "tests/dispatcher/test_machines.py",
)


def main() -> int:
    """Run the rounds. Returns 1 if one of them failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("words", nargs="?", default="", help="only tests with this in their name")
    parser.add_argument("--rounds", type=int, default=20)
    given = parser.parse_args()
    failed: Counter[str] = Counter()
    for number in range(1, given.rounds + 1):
        seed = random.randrange(1 << 32)
        began = time.monotonic()
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-n",
            "2",
            *FAULTS,
            *(["-k", given.words] if given.words else []),
        ]
        done = subprocess.run(
            ["env", f"SEED={seed}", *command], cwd=ROOT, capture_output=True, text=True, check=False
        )
        names = re.findall(r"^(?:FAILED|ERROR) \S+::(\S+)", done.stdout, re.MULTILINE)
        failed.update(names)
        summary = done.stdout.strip().splitlines()[-1]
        print(
            f"round {number}, seed {seed}: {summary} ({time.monotonic() - began:.0f} s) {' '.join(names)}",
            flush=True,
        )
        if done.returncode:
            (Path.cwd() / f"soak-{seed}.log").write_text(done.stdout)
    print("all rounds passed" if not failed else f"failed: {dict(failed)}")
    return min(1, len(failed))


if __name__ == "__main__":
    sys.exit(main())
