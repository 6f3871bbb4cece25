"""Many mutated recordings for one appliance; a good one behind them is to be done within 10 seconds. By hand.

.venv/bin/python tests/soak/mutated_audio.py                       500 files, any seed
.venv/bin/python tests/soak/mutated_audio.py --seed 7 --count 50   these again
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(1, str(Path(__file__).resolve().parents[2]))

from appliance import Appliance
from media import client, mutants, sounds
from receiver import Receiver


def main() -> int:
    """Send them all. Returns 1 if one of them stopped something."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--count", type=int, default=500)
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    receiver = Receiver()
    with tempfile.TemporaryDirectory(prefix="spoke-mutants-") as folder:
        machine = Appliance(Path(folder))
        try:
            return _attack(machine, receiver, given.seed, given.count)
        finally:
            machine.end()
            receiver.close()


def _attack(machine: Appliance, receiver: Receiver, seed: int, count: int) -> int:
    token = machine.location("Office")
    machine.webhook("Office", receiver.url("/media"), "media")
    before = {process.pid for process in machine.family()}
    answers: Counter[int] = Counter()
    for number, data in enumerate(mutants.mutants(seed, count)):
        status = client.send(machine, token, data).status_code
        answers[status] += 1
        if status not in (202, 422):
            print(f"file {number}: {status}")
    began = time.monotonic()
    good = client.send(machine, token, sounds.long_wav(5), thread_id="good")
    while not any(got.json["thread_id"] == "good" for got in receiver.at("/media")):
        if time.monotonic() - began > 60:
            break
        time.sleep(0.01)
    took = time.monotonic() - began
    receiver.wait("/media", answers[202] + 1, seconds=120)
    states = Counter(row.state for row in machine.rows("SELECT state FROM media"))
    whole = machine.rows("SELECT count(*) AS n FROM media WHERE state = 'ready' AND error IS NULL")[0].n
    dead = before - {process.pid for process in machine.family()}
    print(f"answers: {dict(answers)}; the good one: {good.status_code}, done after {took:.1f} s")
    print(f"recordings: {dict(states)}, {whole} of them whole; processes that ended: {len(dead)}")
    return int(bool(dead) or took > 10 or set(answers) - {202, 422} != set())


if __name__ == "__main__":
    sys.exit(main())
