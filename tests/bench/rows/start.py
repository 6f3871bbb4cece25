"""From the command to the first 200 of ``/readyz``, and the memory of the idle appliance."""

import http.client
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from appliance import Appliance

from bench.figures import Spread, times
from bench.report import Line
from bench.session import Session

_SECONDS: Final = 2.0  # target
_MEBIBYTES: Final = 250.0  # target
# An empty value counts as not set: byte code is kept, as it is on everybody's machine.
_KEEP: Final = {"PYTHONDONTWRITEBYTECODE": ""}
_BUILT_ON: Final = "import flask, flask_sqlalchemy, waitress, pydantic_settings, requests, rq"


def measure(session: Session) -> list[Line]:
    limit = Spread.of(_imports() for _ in range(session.rounds))
    found = [_start(session) for _ in range(session.rounds)]
    fresh, warm, memory = (Spread.of(one[place] for one in found) for place in range(3))
    imports = f"importing its libraries {limit.told(_seconds)}"
    return [
        Line(f"start to ready, {what}", took.told(_seconds), "", imports, took.over(limit).told(times),
             f"≤ {_SECONDS:.0f} s", took.median <= _SECONDS)
        for what, took in (("new data dir", fresh), ("again", warm))
    ] + [
        Line("memory of the idle appliance (PSS)", memory.told(_mebibytes), "", "", "",
             f"≤ {_mebibytes(_MEBIBYTES)}", memory.median <= _MEBIBYTES)
    ]  # fmt: skip


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s"


def _mebibytes(mebibytes: float) -> str:
    return f"{mebibytes:.0f} MiB"


def _start(session: Session) -> tuple[float, float, float]:
    """Seconds with a new data dir, seconds with that of the former start, mebibytes."""
    appliance = Appliance(session.new_folder("start"), start=False, **_KEEP)
    try:
        fresh = _until_ready(appliance)
        appliance.stop()
        warm = _until_ready(appliance)
        time.sleep(session.size(5, 2))
        memory = _pss(session, appliance)
    finally:
        appliance.end()
    session.say(f"ready after {fresh:.2f} s, again after {warm:.2f} s; {memory:.0f} MiB")
    return fresh, warm, memory


def _until_ready(appliance: Appliance) -> float:
    begin = time.perf_counter()
    appliance.spawn()
    while not _ready(appliance.port):
        assert time.perf_counter() - begin < 30, appliance.log
        time.sleep(0.01)
    return time.perf_counter() - begin


def _ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _pss(session: Session, appliance: Appliance) -> float:
    """Memory of all its processes, in MiB; what several share is counted once."""
    total = 0.0
    for process in appliance.family():
        rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
        size = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1024
        session.say(f"  {size:6.1f} MiB  {' '.join(process.cmdline())[:60]}")
        total += size
    return total


def _imports() -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", _BUILT_ON], env={**os.environ, **_KEEP}, check=True)
    return time.perf_counter() - begin
