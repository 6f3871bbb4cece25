"""Many mutated recordings for one appliance; a good one behind them is to be done within 10 seconds. By hand.

.venv/bin/python tests/soak/mutated_audio.py                 500 files, any seed
.venv/bin/python tests/soak/mutated_audio.py 50 --seed 7     these again
"""

import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from appliance import Appliance, Place
from media import client, mutants, sounds
from receiver import Receiver
from soak.start import read_arguments, started


def main() -> int:
    """Send them all. Returns 1 if one of them stopped something."""
    given = read_arguments(__doc__, 500)
    with started(given) as (appliance, receiver, place, _):
        return _attack(appliance, receiver, place, given.seed, given.count)


def _attack(machine: Appliance, receiver: Receiver, place: Place, seed: int, count: int) -> int:
    name, token = place
    machine.webhook(name, receiver.url("/media"), "media")
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
