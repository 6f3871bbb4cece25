"""What the README tells people to do works as it stands there."""

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

from appliance import ROOT, eventually, free_port
from conftest import need

README = (ROOT / "README.md").read_text()


def fenced() -> list[str]:
    return re.findall(r"^```\w*\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def step(name: str) -> str:
    found = re.search(rf"<!-- tour: {name} -->\n```sh\n(.*?)```", README, re.DOTALL)
    assert found, f"the tour has no step {name}"
    return found[1]


def test_the_run_and_the_test_line_come_first() -> None:
    run = next(block for block in fenced() if "app.py" in block).strip()
    test = next(block for block in fenced() if "pytest" in block).strip()
    for line, end in ((run, ".venv/bin/python app.py"), (test, ".venv/bin/pytest")):
        assert "\n" not in line
        steps = line.split(" && ")
        assert steps[0] == "python3 -m venv .venv" and steps[-1] == end


def test_the_tour_ends_in_a_verified_call(tmp_path: Path) -> None:
    need(shutil.which("curl"), "curl is missing: apt install curl")
    for name in ("app.py", "pyproject.toml", "webhooks", "templates", "static"):
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, tmp_path / name)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SPOKE_")}
    ports = {"8080": str(free_port()), "9000": str(free_port())}
    environment["SPOKE_PORT"] = ports["8080"]

    def shell(name: str) -> list[str]:
        # Its last command becomes the process itself, so that it ends when we say so.
        script = re.sub("|".join(ports), lambda port: ports[port[0]], step(name))
        return [
            "bash",
            "-ec",
            re.sub(r"^((?:\w+=\S+ )?)(\.venv/bin/python \S+\.py)$", r"\1exec \2", script, flags=re.M),
        ]

    running = []

    def start(name: str) -> Path:
        output = tmp_path / f"{name}.out"
        with output.open("wb") as file:
            running.append(
                subprocess.Popen(shell(name), cwd=tmp_path, env=environment, stdout=file, stderr=file)
            )
        return output

    def run(name: str) -> str:
        done = subprocess.run(
            shell(name), cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    try:
        log = start("start")
        eventually(lambda: "Ready after" in log.read_text(), 60)
        assert "Log in as admin with the password" in log.read_text()
        run("configure")
        received = start("receive")
        eventually(lambda: _listens(int(ports["9000"])))
        assert re.match(r"HTTP/1\.1 202 .*\"deliveries\":1", run("post"), re.DOTALL)
        eventually(lambda: "verified: {'id': '6d739560-1741-11ed-861d-0242ac120002'" in received.read_text())
        assert re.match(r"HTTP/1\.1 200 .*\"duplicate\":true", run("post"), re.DOTALL)
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(25)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
