"""The receivers that pages and docs/receivers.md show: each takes what is genuine, and nothing else.

C# is not run: no package of Debian has it.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from appliance import ROOT, eventually, free_port
from conftest import need
from flask import Flask
from receiver import Receiver
from receivers_paper import PAPER, made
from standardwebhooks import Webhook

from webhooks.catalogue import CALL_FIELDS, MEDIA_FIELDS, sample_payload
from webhooks.outbound.signing import new_secret, signed_headers
from webhooks.web.ui import receiver_code

# What runs each, with the name that its file has to have.
RUN = {
    "python": ("receiver.py", ["python3"]),
    "php": ("receiver.php", ["php", "-S", "127.0.0.1:{port}"]),
    "node": ("receiver.mjs", ["node"]),
    "go": ("receiver.go", ["go", "run"]),
}
PACKAGES = {"php": "php-cli", "node": "nodejs", "go": "golang-go"}
SECRET = new_secret()
CALL = sample_payload("call", [], [], "http://127.0.0.1") | {"from": "+1920", "from_name": "Ünï 😀"}
MEDIA = sample_payload("media", [], [], "http://127.0.0.1")


def code(name: str, url: str, payload: dict[str, Any]) -> str:
    with Flask(__name__, template_folder=ROOT / "templates").app_context():
        return next(one.code for one in receiver_code.samples(url, payload) if one.name == name)


@contextlib.contextmanager
def running(name: str, payload: dict[str, Any], folder: Path) -> Iterator[tuple[str, Path]]:
    """A receiver's URL, and the file with what it prints."""
    file, command = RUN[name]
    missing = f"{command[0]} is missing: apt install {PACKAGES.get(name, name)}"
    if name == "go" and not shutil.which("go"):  # in CI too: it is large, and compiles for half a minute
        pytest.skip(missing)
    need(shutil.which(command[0]), missing)
    port = free_port()
    url = f"http://127.0.0.1:{port}/calls"
    (folder / file).write_text(code(name, url, payload))
    output = folder / "output"
    environment = os.environ | {"WEBHOOK_SECRET": SECRET, "GOCACHE": str(folder / "go"), "GO111MODULE": "off"}
    with output.open("wb") as log:
        process = subprocess.Popen(
            [*(part.format(port=port) for part in command), file],
            cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        eventually(lambda: process.poll() is not None or listens(port), seconds=120)
        assert process.poll() is None, output.read_text()
        yield url, output
    finally:
        os.killpg(process.pid, 15)  # "go run" has a child
        process.wait(10)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def post(url: str, body: str, headers: dict[str, str]) -> int:
    sent = {"Content-Type": "application/json", **headers}
    return requests.post(url, data=body.encode(), headers=sent, timeout=30).status_code


@pytest.mark.parametrize("name", RUN)
def test_a_receiver_takes_what_is_genuine_and_nothing_else(name: str, tmp_path: Path) -> None:
    body, other = json.dumps(CALL, ensure_ascii=False), new_secret()
    now = int(time.time())

    def signed(*keys: str, at: int = now) -> dict[str, str]:
        return signed_headers(keys, CALL["id"], at, body)

    with running(name, CALL, tmp_path) as (url, output):
        assert post(url, body, signed(SECRET)) == 204
        assert post(url, body, signed(other, SECRET)) == 204, "in the day after a rotation"
        told = f"{CALL['type']} {CALL['subtype']} {CALL['from']}"
        eventually(lambda: output.read_text().count(told) == 2)
        assert post(url, body, signed(other)) == 401
        assert post(url, body.replace("5010", "5011"), signed(SECRET)) == 401
        for seconds in (-600, 600):
            assert post(url, body, signed(SECRET, at=now + seconds)) == 401
        assert post(url, body, signed(SECRET) | {"webhook-timestamp": "now"}) == 401
        assert post(url, body, signed(SECRET) | {"webhook-id": "another"}) == 401
        assert post(url, body, {}) == 401
        assert output.read_text().count(told) == 2


def test_a_receiver_of_media_tells_the_link(tmp_path: Path) -> None:
    body = json.dumps(MEDIA)
    with running("python", MEDIA, tmp_path) as (url, output):
        assert post(url, body, signed_headers([SECRET], MEDIA["id"], int(time.time()), body)) == 204
        eventually(lambda: f"voicemail {MEDIA['attachments']}" in output.read_text())


@pytest.mark.parametrize("payload", [CALL, MEDIA], ids=["call", "media"])
def test_curl_and_openssl_send_what_a_library_verifies(payload: dict[str, Any], receiver: Receiver) -> None:
    url = receiver.url("/x?a=1&b='2'")
    done = subprocess.run(
        ["sh", "-c", code("curl", url, payload)], env=os.environ | {"WEBHOOK_SECRET": SECRET},
        capture_output=True, text=True,
    )  # fmt: skip
    assert "200 OK" in done.stdout, done.stderr
    (got,) = receiver.requests
    assert got.path == "/x?a=1&b='2'" and got.json == payload
    Webhook(SECRET).verify(got.body, got.headers)


@pytest.mark.parametrize(
    ("url", "listens_", "where"),
    [
        ("http://127.0.0.1:9100/calls", True, '("127.0.0.1", 9100)'),
        ("http://10.0.0.5:9100/calls", True, '("0.0.0.0", 9100)'),
        ("https://crm.example:8443/calls", True, '("127.0.0.1", 9000)'),
        ("http://crm.example/calls", True, '("127.0.0.1", 9000)'),
        ("http://127.0.0.1:8080/inbox/x", False, '("127.0.0.1", 9000)'),
    ],
)
def test_a_receiver_listens_where_the_url_leads_to(url: str, listens_: bool, where: str) -> None:
    with Flask(__name__, template_folder=ROOT / "templates").app_context():
        python = receiver_code.samples(url, CALL, listens=listens_)[0]
    assert f"HTTPServer({where}, Receiver)" in python.code


def test_the_paper_is_what_the_pages_show() -> None:
    assert PAPER.read_text() == made(), "write it anew: PYTHONPATH=.:tests python tests/receivers_paper.py"


def test_every_field_that_is_sent_is_told() -> None:
    assert tuple(receiver_code.FIELDS["call"]) == CALL_FIELDS
    assert tuple(receiver_code.FIELDS["media"]) == MEDIA_FIELDS
