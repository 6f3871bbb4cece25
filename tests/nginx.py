"""A real nginx in front of an appliance, or beside it as what its downloads are measured against."""

import os
import shutil
import subprocess
import time
from pathlib import Path

from appliance import free_port


class Nginx:
    """``locations`` are nginx's own blocks; ``server`` is a whole server block in their place, which listens
    on ``port``. Runs in ``folder`` until ``close``."""

    def __init__(
        self, folder: Path, locations: str = "", *, server: str = "", port: int | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        user = "user root;" if os.geteuid() == 0 else ""
        temp = "".join(
            f"{kind}_temp_path {folder}/{kind};"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        server = server or (
            f"server {{ listen 127.0.0.1:{self.port}; client_max_body_size 300m; {locations} }}"
        )
        config = folder / "nginx.conf"
        config.write_text(
            f"{user} daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 2;"
            f"events {{}} http {{ access_log off; sendfile on; {temp} {server} }}"
        )
        command = [self.program(), "-c", str(config), "-e", f"{folder}/error.log"]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        until = time.monotonic() + 10
        while not (folder / "pid").exists():
            assert self._process.poll() is None, (folder / "error.log").read_text()
            assert time.monotonic() < until
            time.sleep(0.02)

    @staticmethod
    def program() -> str:
        """Where it is (Debian keeps it off an ordinary PATH); "" if it is not installed."""
        return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin") or ""

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(10)
