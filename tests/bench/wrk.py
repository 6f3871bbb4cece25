"""HTTP load by wrk, which costs little beside what it loads."""

import json
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Latency


@dataclass(frozen=True)
class Load:
    """``per_second`` counts requests; none of them failed."""

    per_second: float
    requests: int
    latency: Latency


def post(url: str, seconds: int, *, connections: int, token: str = "", batch: int = 1) -> Load:
    """Post events, ``batch`` in a request, over so many connections for so long.

    Raises:
        RuntimeError: wrk is missing, or some answer was no 2xx.
    """
    program = shutil.which("wrk")
    if program is None:
        raise RuntimeError("wrk is missing: apt install wrk")
    command = [
        program, f"-t{min(2, connections)}", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s",
        "-s", str(Path(__file__).with_name("hook.lua")), "-H", "Content-Type: application/json",
        "-H", f"Authorization: Bearer {token}", url, "--", secrets.token_hex(4), str(batch),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    figures = json.loads(done.stdout.partition("\nfigures ")[2])
    if figures["faults"]:
        raise RuntimeError(
            f"{figures['faults']} of wrk's {figures['requests']} requests failed: {done.stdout}"
        )
    return Load(
        figures["requests"] / figures["seconds"],
        figures["requests"],
        Latency(figures["requests"], figures["p50"], figures["p99"]),
    )
