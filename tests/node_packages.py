"""Packages of npm for tests: installed once for a lock, in a folder that all test processes share.

``python tests/node_packages.py`` installs them beforehand.
"""

import fcntl
import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from appliance import ROOT
from conftest import need

ZAPIER = ROOT / "zapier"
NODE_RED = ROOT / "tests" / "node_red"


def installed(folder: Path) -> Path:
    """Install what ``package-lock.json`` in a folder names. Returns its ``node_modules``."""
    for program in ("node", "npm"):
        need(shutil.which(program), f"{program} is missing: apt install nodejs npm")
    lock = (folder / "package-lock.json").read_bytes()
    place = Path(tempfile.gettempdir()) / f"spoke-npm-{hashlib.sha256(lock).hexdigest()[:16]}"
    place.mkdir(exist_ok=True)
    with (place / ".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not (place / ".complete").exists():
            for name in ("package.json", "package-lock.json"):
                shutil.copy(folder / name, place)
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
            done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=600)
            need("yes" if done.returncode == 0 else None, f"npm ci failed: {done.stderr[-500:]}")
            (place / ".complete").touch()
    return place / "node_modules"


if __name__ == "__main__":
    for one in (ZAPIER, NODE_RED):
        installed(one)
