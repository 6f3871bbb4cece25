"""The peers' virtual environment, made on demand outside of the checkout, and their Valkey."""

import contextlib
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from appliance import free_port

from bench.session import Session, accepts, eventually, running
from webhooks.runtime.redis_server import find_server
from webhooks.settings import Settings


def programs(session: Session) -> Path:
    """The folder of the peers' programs. The first run on a machine installs them, in about 20 seconds."""
    wanted = Path(__file__).parent.parent / "peers.txt"
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


@contextlib.contextmanager
def broker(session: Session) -> Iterator[str]:
    """A Valkey of its own, in memory only; its URL."""
    folder, port = session.new_folder("valkey"), free_port()
    command = [
        str(find_server(Settings())), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder),
        "--save", "", "--appendonly", "no",
    ]  # fmt: skip
    with running(command, folder / "log"):
        eventually(lambda: accepts(port), "the peers' Valkey")
        yield f"redis://127.0.0.1:{port}/0"
