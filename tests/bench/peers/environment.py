"""What the peers run on: a virtual environment and Node packages made on demand, a Valkey, a PostgreSQL."""

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from appliance import PostgreSQL, free_port

from bench.session import Session, accepts, eventually, running
from webhooks.runtime.redis_server import find_server
from webhooks.settings import Settings

HERE: Final = Path(__file__).parent
_NODE_FILES: Final = ("package.json", "package-lock.json", "bullmq.mjs")


def programs(session: Session) -> Path:
    """The folder of the peers' programs. The first run on a machine installs them, in about 20 seconds."""
    wanted = HERE.parent / "peers.txt"
    digest = hashlib.sha256(wanted.read_bytes() + sys.version.encode()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "spoke-bench"
    folder = cache / f"peers-{digest}"
    complete = folder / "complete"
    if not complete.exists():
        session.say(f"installing the peers in {folder}")
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        command = [str(folder / "bin/pip"), "install", "--quiet", "-r", str(wanted)]
        subprocess.run(command, check=True, stdout=sys.stderr)
        complete.touch()
    return folder / "bin"


def node_folder(session: Session) -> Path | None:
    """A folder of the run with the Node peers and their packages; None, and a word, where that cannot be."""
    folder = session.folder / "node"
    if (folder / "complete").exists():
        return folder
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        session.say("BullMQ is left out: node and npm are missing (apt install nodejs npm)")
        return None
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name in _NODE_FILES:
        shutil.copy(HERE / name, folder)
    install = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(install, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        session.say(f"BullMQ is left out: its packages could not be installed: {done.stderr.strip()}")
        return None
    (folder / "complete").touch()
    return folder


@contextlib.contextmanager
def broker(session: Session) -> Iterator[tuple[str, int]]:
    """A Valkey that syncs its file each second; its URL and process id."""
    folder, port = session.new_folder("valkey"), free_port()
    command = [
        str(find_server(Settings())), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder),
        "--save", "", "--appendonly", "yes", "--appendfsync", "everysec",
    ]  # fmt: skip
    with running(command, folder / "log") as process:
        eventually(lambda: accepts(port), "the peers' Valkey")
        yield f"redis://127.0.0.1:{port}/0", process.pid


@contextlib.contextmanager
def database() -> Iterator[tuple[str, int]]:
    """A PostgreSQL with its defaults, so durable at each commit; a database's URL and the server's process.

    Raises:
        RuntimeError: there is none on this machine.
    """
    if not PostgreSQL.program("initdb"):
        raise RuntimeError("PostgreSQL is missing: apt install postgresql")
    server = PostgreSQL()
    try:
        pid = (server.folder / "data" / "postmaster.pid").read_text().partition("\n")[0]
        yield server.new(), int(pid)
    finally:
        server.close()
