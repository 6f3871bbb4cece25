"""Requests changed at random bring nothing down; many more of them: tests/soak/mutated_requests.py."""

import os
import random

from appliance import Appliance
from mutated import attack
from receiver import Receiver


def test_150_requests_with_faults_bring_nothing_down(
    appliance: Appliance, receiver: Receiver, place: tuple[str, str]
) -> None:
    seed = int(os.environ.get("SEED") or random.randrange(1 << 32))
    print(f"seed {seed}")
    seen = attack(appliance, receiver, place, 150, seed)
    assert seen[0] <= 15 and len(seen) > 3, f"they never came to a door: {seen}"
