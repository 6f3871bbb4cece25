"""The door of downloads: ranges, conditions, names, and clients as people use them."""

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import requests
from appliance import PASSWORD, ROOT, Appliance, eventually, free_port
from conftest import need
from media import client, sounds
from nginx import Nginx
from receiver import Receiver

pytestmark = pytest.mark.databases("one")


@pytest.fixture(scope="module")
def voice() -> bytes:
    return sounds.long_wav(60, 16000)


def test_ranges_and_conditions(appliance: Appliance, link: str) -> None:
    whole = client.fetch(appliance, link)
    size, etag = len(whole.content), whole.headers["ETag"]
    assert whole.headers["Accept-Ranges"] == "bytes" and int(whole.headers["Content-Length"]) == size
    assert whole.headers["Cache-Control"] == "private"
    assert whole.headers["X-Content-Type-Options"] == "nosniff"

    def get(**headers: str) -> Any:
        return client.fetch(appliance, link, headers={k.replace("_", "-"): v for k, v in headers.items()})

    for value, begin, end in [
        ("bytes=0-99", 0, 100), ("bytes=100-", 100, size), ("bytes=-50", size - 50, size),
        (f"bytes=5-{size + 10}", 5, size), (f"bytes={size - 1}-", size - 1, size),
    ]:  # fmt: skip
        part = get(Range=value)
        assert part.status_code == 206 and part.content == whole.content[begin:end]
        assert part.headers["Content-Range"] == f"bytes {begin}-{end - 1}/{size}"
        assert int(part.headers["Content-Length"]) == end - begin
    outside = get(Range=f"bytes={size}-")
    assert outside.status_code == 416 and outside.headers["Content-Range"] == f"bytes */{size}"
    assert outside.headers["Content-Type"] == "application/problem+json"
    for nonsense in ("bytes=abc", "lines=1-2", "bytes=0-1,5-9"):
        assert get(Range=nonsense).content == whole.content
    assert get(Range="bytes=0-9", If_Range=etag).status_code == 206
    assert get(Range="bytes=0-9", If_Range='"other"').status_code == 200
    assert get(If_None_Match=etag).status_code == 304
    head = appliance._session.head(link, timeout=10)
    assert head.status_code == 200 and head.content == b"" and int(head.headers["Content-Length"]) == size
    assert head.headers["ETag"] == etag
    head = appliance._session.head(link, headers={"Range": "bytes=0-9"}, timeout=10)
    assert head.status_code == 206 and head.headers["Content-Length"] == "10"


def test_curl_goes_on_where_it_was_cut_off(appliance: Appliance, link: str, tmp_path: Path) -> None:
    need(shutil.which("curl"), "curl is missing: apt install curl")
    whole = client.fetch(appliance, link).content
    file = tmp_path / "a.mp3"
    file.write_bytes(whole[:10_000])
    subprocess.run(["curl", "-sSf", "-C", "-", "-o", file, link], check=True, timeout=30)
    assert file.read_bytes() == whole
    part = subprocess.run(["curl", "-sSf", "-r", "7-20", link], check=True, timeout=30, capture_output=True)
    assert part.stdout == whole[7:21]
    named = subprocess.run(
        ["curl", "-sSfOJ", link], check=True, timeout=30, capture_output=True, cwd=tmp_path
    )
    assert named.returncode == 0
    assert (tmp_path / (client.NAME.removesuffix(".wav") + ".mp3")).read_bytes() == whole


NAMES = {
    "../../etc/passwd": "passwd.mp3",
    "..\\..\\boot.ini": "boot.mp3",
    "a/b/..": "call_recording.mp3",
    "": "call_recording.mp3",
    "x\r\nSet-Cookie: a=b.wav": "xSet-Cookie: a=b.mp3",
    'quo"te.wav': 'quo"te.mp3',
    "Grüße 你好 🎙.wav": "Grüße 你好 🎙.mp3",
    "no extension": "no extension.mp3",
    "v1.25 final.WAV": "v1.25 final.mp3",
    "100%.mp3": "100%.mp3",
    "call at 5.30": "call at 5.30.mp3",
    "Call with J.Smith": "Call with J.Smith.mp3",
    "C:\\new\\msg1.wav": "msg1.mp3",
}


@pytest.mark.parametrize("given", NAMES)
def test_a_name_is_told_and_never_a_path(
    appliance: Appliance, place: tuple[str, str], receiver: Receiver, given: str
) -> None:
    appliance.webhook(place[0], receiver.url("/media"), "media")
    client.send(
        appliance, place[1], sounds.wav(8000, [sounds.speech(8000, 1)]), "part", filename=given or None
    )
    payload = client.arrived(receiver, "/media").json
    wanted = NAMES[given] if given else "part.mp3"
    assert payload["filename"] == wanted
    header = client.fetch(appliance, payload["attachments"]).headers["Content-Disposition"]
    assert "\n" not in header and header.startswith('attachment; filename="')
    plain = re.search(r'filename="([^"]*)"', header)
    extended = re.search(r"filename\*=UTF-8''(\S+)", header)
    assert plain and (unquote(extended[1]) if extended else plain[1]) == wanted
    assert all(
        re.fullmatch(r"(mp3/../|waiting/)[0-9a-f-]{36}(\.mp3)?", name) for name in client.files(appliance)
    )


def test_nginx_may_do_the_sending(
    start_appliance: Callable[..., Appliance], receiver: Receiver, voice: bytes
) -> None:
    one = start_appliance(SPOKE_X_ACCEL_PREFIX="/protected-media/")
    token = one.location("Office")
    one.webhook("Office", receiver.url("/media"), "media")
    media_id = client.send(one, token, voice).json()["media_id"]
    got = client.fetch(one, client.arrived(receiver, "/media").json["attachments"])
    assert got.status_code == 200 and got.content == b""
    where = got.headers["X-Accel-Redirect"]
    assert where == f"/protected-media/{media_id[:2]}/{media_id}.mp3"
    assert (one.folder / "data" / "media" / "mp3" / where.removeprefix("/protected-media/")).is_file()
    assert got.headers["Content-Type"] == "audio/mpeg" and "Content-Disposition" in got.headers


def test_a_real_nginx_sends_what_the_links_allow(
    start_appliance: Callable[..., Appliance], receiver: Receiver, voice: bytes, tmp_path: Path
) -> None:
    """With the blocks of docs/operations.md: TLS, the pages and the hook, and recordings sent by nginx."""
    need(Nginx.program(), "nginx is missing: apt install nginx-light")
    need(shutil.which("openssl"), "openssl is missing: apt install openssl")
    operations = (ROOT / "docs" / "operations.md").read_text()
    server, location = re.findall(r"```nginx\n(.*?)```", operations, re.DOTALL)
    port = free_port()
    site = f"https://localhost:{port}"
    one = start_appliance(
        SPOKE_PUBLIC_URL=site, SPOKE_TRUSTED_PROXIES="127.0.0.0/8", SPOKE_X_ACCEL_PREFIX="/protected-media/"
    )
    _certificate(tmp_path)
    server = f"{server.rstrip().removesuffix('}')} {location} }}"
    for written, here in {
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "/etc/letsencrypt/live/spoke.example.com": str(tmp_path),
        "http://127.0.0.1:8080": one.url,
        "/var/lib/spoke": str(one.folder / "data"),
    }.items():
        assert written in server
        server = server.replace(written, here)
    front = Nginx(tmp_path / "nginx", server=server, port=port)
    visitor = requests.Session()
    visitor.verify, visitor.trust_env = str(tmp_path / "fullchain.pem"), False
    try:
        token = one.location("Office")
        one.webhook("Office", receiver.url("/media"), "media")
        file: Any = {"event": (None, '{"type": "voicemail"}', "application/json"), "file": ("a.wav", voice)}
        posted = visitor.post(
            f"{site}/api/media", files=file, headers={"Authorization": f"Bearer {token}"}, timeout=10
        )
        assert posted.status_code == 202
        link = client.arrived(receiver, "/media").json["attachments"]
        assert link.startswith(f"{site}/api/media/download/")
        whole = visitor.get(link, timeout=10)
        assert whole.status_code == 200 and len(whole.content) > 1000
        assert whole.headers["Content-Type"] == "audio/mpeg" and "X-Accel-Redirect" not in whole.headers
        assert whole.headers["Cache-Control"] == "private" and "Content-Disposition" in whole.headers
        part = visitor.get(link, headers={"Range": "bytes=100-199"}, timeout=10)
        assert part.status_code == 206 and part.content == whole.content[100:200]
        assert visitor.head(link, timeout=10).headers["Content-Length"] == str(len(whole.content))
        assert visitor.get(link.replace("signature=", "signature=x"), timeout=10).status_code == 403
        (kept,) = [name for name in client.files(one) if name.endswith(".mp3")]
        hidden = f"{site}/protected-media/{kept.removeprefix('mp3/')}"
        assert visitor.get(hidden, timeout=10).status_code == 404, "reached without a link"
        # A visitor may claim a prefix, another address and another host of its own: nobody believes it.
        claims = {"X-Forwarded-Prefix": "/elsewhere", "X-Forwarded-For": "192.0.2.1", "Origin": site}
        entered = visitor.post(
            f"{site}/login", data={"password": PASSWORD}, headers=claims, timeout=10, allow_redirects=False
        )
        assert entered.status_code == 303 and entered.headers["Location"] == "/"
        assert "Secure" in entered.headers["Set-Cookie"] and "192.0.2.1" not in one.log
        assert visitor.get(site, timeout=10).status_code == 200
    finally:
        front.close()


def _certificate(folder: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem"],
        check=True, capture_output=True,
    )  # fmt: skip


def test_downloads_that_stand_still_leave_the_hook_its_threads(
    start_appliance: Callable[..., Appliance], receiver: Receiver
) -> None:
    one = start_appliance()
    token = one.location("Office")
    one.webhook("Office", receiver.url("/media"), "media")
    big = b"".join(sounds.long_mp3(10 << 20))  # more than the sockets' buffers take
    assert client.send(one, token, big).status_code == 202
    link = client.arrived(receiver, "/media").json["attachments"]
    path = link.removeprefix(one.url)
    callers = []
    for _ in range(16):
        caller = socket.socket()
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        caller.connect(("127.0.0.1", one.port))
        caller.sendall(f"GET {path} HTTP/1.1\r\nHost: spoke\r\n\r\n".encode())
        callers.append(caller)
    time.sleep(0.5)
    for _ in range(20):  # without a thread it would get no answer at all
        assert one.event(token, type="incoming_call", subtype="ringing").status_code == 202
    heads = []
    for caller in callers:
        caller.settimeout(5)
        heads.append(caller.recv(4000))
        caller.close()
    assert all(b" 200 " in head for head in heads), "a download that crawls needs no thread"
    assert client.fetch(one, link).status_code == 200


def test_uploads_that_stand_still_leave_the_hook_its_threads(
    start_appliance: Callable[..., Appliance],
) -> None:
    one = start_appliance()
    token = one.location("Office")
    head = f"POST /api/media HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n".encode()
    head += b"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 10000000\r\n\r\n--b\r\n"
    callers = [socket.create_connection(("127.0.0.1", one.port), 5) for _ in range(16)]
    for caller in callers:
        caller.sendall(head + b'Content-Disposition: form-data; name="file"\r\n\r\n' + b"x" * 10_000)
    time.sleep(0.5)
    for _ in range(20):  # without a thread it would get no answer at all
        assert one.event(token, type="incoming_call", subtype="ringing").status_code == 202
    refused = 0
    for caller in callers:
        caller.settimeout(0.2)
        try:
            answer = caller.recv(4000)
        except TimeoutError:
            continue
        refused += b" 503 " in answer and b"Retry-After: " in answer
    assert 10 <= refused < 16
    for caller in callers:
        caller.close()
    deadline = time.monotonic() + 10
    while client.send(one, token, sounds.long_wav(1)).status_code != 202:  # the places are given back
        assert time.monotonic() < deadline
        time.sleep(0.1)
    eventually(lambda: not [name for name in client.files(one) if name.startswith("incoming/")])
