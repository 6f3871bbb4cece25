"""A child process that hangs is killed and started again, as one that ends."""

import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = textwrap.dedent("""
    import logging, sys, time
    from webhooks.runtime.logs import Formatter, as_text
    from webhooks.runtime.supervisor import Child, Heartbeat, Supervisor

    def run():
        print("start", flush=True)
        for _ in range(3 if HANGS else 300):
            beat()
            time.sleep(0.01)
        if not HANGS:
            return 0
        time.sleep(600)

    HANGS = sys.argv[1] == "hangs"
    handler = logging.StreamHandler()
    handler.setFormatter(Formatter("appliance", as_text))
    logging.basicConfig(handlers=[handler])
    heartbeat = Heartbeat()
    beat = heartbeat.beat
    supervisor = Supervisor([Child("web-1", run, heartbeat=heartbeat)], hung_s=1.0)
    began = time.monotonic()

    def each_tick():
        supervisor.stop_wanted = time.monotonic() - began > 2.5

    with supervisor.signals() as wakeup:
        supervisor.run(wakeup, each_tick)
    supervisor.stop()
""")


def supervise(how: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, how], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.count("start"), done.stderr


def test_a_child_whose_heart_stops_is_killed_and_started_again() -> None:
    starts, told = supervise("hangs")
    assert starts >= 2
    assert "process gives no sign of life; it is killed child=web-1 limit_s=1.0" in told
    assert 'it is started again child=web-1 ending="killed by SIGKILL"' in told


def test_a_child_whose_heart_beats_is_left_alone() -> None:
    starts, told = supervise("works")
    assert starts == 1 and told == ""
