"""One Asterisk in the foreground, all its ports on loopback, all its files in one folder."""
from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from . import build

HERE = Path(__file__).resolve().parent.parent


def free_port(kind: int) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def hook_command(folder: Path) -> str:
    """The lab's own post-process script: it notes when it was called, with which words, and the files that it found."""
    return f"{HERE / 'labkit' / 'hook'} {folder / 'hooks'}"


class Asterisk:
    """`start()` returns when AMI has said FullyBooted. Everything that a client needs is in `info` (JSON)."""

    def __init__(self, version: str = "22", cache: Path | None = None, folder: Path | None = None, *, mirror: str | None = None,
                 on_recording: str | None = None, on_voicemail: str | None = None, cdr: bool = False, systemname: str = "", log=print):
        self.root = build.build(version, cache or build.cache_folder(), mirror, log)
        self.own = folder is None
        self.folder = Path(folder or tempfile.mkdtemp(prefix="asterisk-lab-")).absolute()
        self.run = Path(tempfile.mkdtemp(prefix="al-"))  # a socket's path has 107 bytes at most, and tests nest deep
        hook = hook_command(self.folder)
        ports = {name: free_port(kind) for name, kind in
                 {"sip": socket.SOCK_DGRAM, "ami": socket.SOCK_STREAM, "provider": socket.SOCK_DGRAM, "backup": socket.SOCK_DGRAM}.items()}
        rtp = 20000 + secrets.randbelow(200) * 100
        self.info = {"version": version, "folder": str(self.folder), "secret": secrets.token_hex(8), "user": "lab", "adapter_user": "adapter",
                     "ports": ports, "spool": str(self.folder / "spool"), "log": str(self.folder / "log" / "full")}
        self.words = {
            "DIR": self.folder, "RUN": self.run, "DATA": self.root / "usr/share/asterisk", "MODULES": build.modules(self.root),
            "SYSTEMNAME": systemname, "SECRET": self.info["secret"], "CDR": "yes" if cdr else "no", "RTP": rtp, "RTPEND": rtp + 99,
            "ONRECORDING": on_recording or f"{hook} recording ^{{UNIQUEID}} ^{{CHANNEL(linkedid)}}", "ONVOICEMAIL": on_voicemail or f"{hook} voicemail",
            **{name.upper(): port for name, port in ports.items()},
        }

    def configure(self) -> None:
        for part in ("etc", "lib", "lib/agi-bin", "spool/voicemail", "spool/monitor", "spool/tmp", "log", "hooks"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        for path in (HERE / "etc").glob("*.conf"):
            text = path.read_text()
            for word, value in self.words.items():
                text = text.replace(f"@{word}@", str(value))
            if path.name == "asterisk.conf":
                text = "\n".join(line for line in text.splitlines() if not line.endswith("systemname = ")) + "\n"
            if path.name == "modules.conf":
                there = {module.name for module in build.modules(self.root).iterdir()}
                text = "\n".join(line for line in text.splitlines() if "load = " not in line or line.split()[-1] in there) + "\n"
            (self.folder / "etc" / path.name).write_text(text)

    def start(self, wait: float = 30) -> dict:
        self.configure()
        began = time.monotonic()
        with (self.folder / "log/console").open("w") as console:
            self.process = subprocess.Popen([*build.command(self.root), "-f", "-C", str(self.folder / "etc/asterisk.conf")], stdin=subprocess.DEVNULL,
                                            stdout=console, stderr=subprocess.STDOUT, start_new_session=True, cwd=self.folder)
        self.info["pid"] = self.process.pid
        while not self._booted():
            if self.process.poll() is not None or time.monotonic() - began > wait:
                self.stop()
                raise RuntimeError("Asterisk did not start:\n" + (self.folder / "log/console").read_text()[-2000:])
            time.sleep(0.05)
        self.info["start_seconds"] = round(time.monotonic() - began, 2)
        self.command("database put blacklist +12025550166 1")
        (self.folder / "lab.json").write_text(json.dumps(self.info, indent=1) + "\n")
        return self.info

    def _booted(self) -> bool:
        """AMI lets clients in before the modules are loaded: FullyBooted comes when all are, or at once where they were before."""
        try:
            with socket.create_connection(("127.0.0.1", self.info["ports"]["ami"]), 1) as link:
                link.settimeout(20)
                link.sendall(f"Action: Login\r\nUsername: lab\r\nSecret: {self.info['secret']}\r\nEvents: system\r\n\r\n".encode())
                heard = b""
                while b"FullyBooted" not in heard:
                    data = link.recv(4096)
                    if not data:
                        return False
                    heard += data
                return True
        except OSError:
            return False

    def command(self, text: str) -> str:
        """What `asterisk -rx TEXT` prints."""
        return subprocess.run([*build.command(self.root), "-C", str(self.folder / "etc/asterisk.conf"), "-rx", text],
                              capture_output=True, text=True, timeout=20).stdout

    def stop(self) -> None:
        stop(self.process.pid, self.process)
        shutil.rmtree(self.run, ignore_errors=True)
        if self.own:
            shutil.rmtree(self.folder, ignore_errors=True)

    def restart(self) -> None:
        """Stop at once and start again on the same ports: what a client sees of a restart in mid-call."""
        stop(self.process.pid, self.process)
        self.start()

    def __enter__(self) -> "Asterisk":
        self.start()
        return self

    def __exit__(self, *_) -> None:
        self.stop()


def stop(pid: int, process: subprocess.Popen | None = None) -> None:
    for kind, patience in ((signal.SIGTERM, 5), (signal.SIGKILL, 2)):
        try:
            os.kill(pid, kind)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if process is not None:
                if process.poll() is not None:
                    return
            elif not Path(f"/proc/{pid}").exists():
                return
            time.sleep(0.05)
