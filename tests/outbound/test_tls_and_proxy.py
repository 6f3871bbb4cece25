"""TLS with the machine's authorities, with a webhook's own, or with none; and a forward proxy."""

import contextlib
import http.server
import select
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from appliance import Appliance, Place, Visitor, eventually
from certificates import make
from conftest import need
from receiver import Receiver

from webhooks.catalogue import HIDDEN
from webhooks.db.store import db


class Authority:
    """A certificate authority and a certificate for localhost, made by openssl."""

    def __init__(self, folder: Path, name: str = "localhost", days: int = 2) -> None:
        self.ca, self.chain, self.key = folder / "ca.pem", folder / "cert.pem", folder / "key.pem"
        run = [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
        ]
        subprocess.run(
            [*run, "-keyout", folder / "ca.key", "-out", self.ca, "-days", "2", "-subj", "/CN=Test CA"],
            check=True, capture_output=True,
        )  # fmt: skip
        subprocess.run(
            [*run, "-keyout", self.key, "-out", self.chain, "-days", str(days), "-subj", f"/CN={name}",
             "-CA", self.ca, "-CAkey", folder / "ca.key", "-addext", f"subjectAltName=DNS:{name}",
             "-addext", "basicConstraints=critical,CA:FALSE"],
            check=True, capture_output=True,
        )  # fmt: skip


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    need(shutil.which("openssl"), "openssl is missing: apt install openssl")
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def secure(authority: Authority) -> Iterator[Receiver]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.chain, authority.key)
    one = Receiver(context)
    yield one
    one.close()


def first_error(appliance: Appliance, webhook: dict[str, Any]) -> str | None:
    def attempt() -> Any:
        listed = appliance.cli("delivery", "list", "--webhook", webhook["id"])
        return listed and appliance.cli("delivery", "show", listed[-1]["id"])["log"]

    error: str | None = eventually(attempt, 10, 0.05)[0]["error"]
    return error


def test_a_certificate_is_checked_unless_told_not_to(
    appliance: Appliance, secure: Receiver, place: Place, authority: Authority
) -> None:
    def url(path: str, host: str = "localhost") -> str:
        return f"https://{host}:{secure.port}{path}"

    unknown = appliance.webhook(place[0], url("/unknown"))
    trusted = appliance.webhook(place[0], url("/trusted"), ca=authority.ca)
    other_name = appliance.webhook(place[0], url("/name", "127.0.0.1"), ca=authority.ca)
    added = appliance.cli("webhook", "add", "--location", place[0], "--kind", "call", "--url",
                          url("/any", "127.0.0.1"), "--no-verify")  # fmt: skip
    appliance.event(place[1], type="incoming_call", subtype="ringing")
    assert "certificate cannot be trusted" in (first_error(appliance, unknown) or "")
    assert first_error(appliance, trusted) is None
    assert "certificate cannot be trusted" in (first_error(appliance, other_name) or "")
    assert first_error(appliance, added) is None
    assert [one.path for one in secure.requests].count("/unknown") == 0
    # The switch works in both directions, from the next delivery on.
    appliance.cli("webhook", "edit", added["id"], "--verify")
    appliance.event(place[1], type="outgoing_call", subtype="busy")

    def refused() -> bool:
        newest = appliance.cli("delivery", "list", "--webhook", added["id"], "--limit", 1)[0]
        log = appliance.cli("delivery", "show", newest["id"])["log"]
        return bool(newest["type"] == "outgoing_call" and log and "cannot be trusted" in log[0]["error"])

    eventually(refused)


def test_an_authority_that_is_none_is_refused(appliance: Appliance, place: Place, tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_text("no certificate")
    said = appliance.cli("webhook", "add", "--location", place[0], "--kind", "call", "--url",
                         "https://receiver.example/", "--ca", tmp_path / "x.pem", status=1)  # fmt: skip
    assert said == "“Certificate authority” has to be a certificate in PEM form.\n"


@pytest.mark.databases("one")
def test_a_client_certificate_is_shown_its_key_kept_sealed_and_told_nowhere(
    appliance: Appliance, visitor: Visitor, place: Place, tmp_path: Path
) -> None:
    authority = make("Test authority", is_authority=True)
    server, client = make("localhost", authority), make("spoke", authority)
    for name, text in (("server", server.pem), ("ca", authority.certificate), ("key", client.key),
                       ("certificate", client.certificate)):  # fmt: skip
        (tmp_path / name).write_text(text)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server")
    context.load_verify_locations(tmp_path / "ca")
    context.verify_mode = ssl.CERT_REQUIRED
    demanding = Receiver(context)
    try:
        webhook = appliance.webhook(
            place[0], f"https://localhost:{demanding.port}/hook", ca=tmp_path / "ca",
            client_certificate=tmp_path / "certificate", client_key=tmp_path / "key",
        )  # fmt: skip
        edit = f"/webhooks/{webhook['id']}/edit"
        page = visitor.get(edit).text
        version = page.partition('name="version" value="')[2].partition('"')[0]
        saved = visitor.post(
            edit, version=version, url=f"https://localhost:{demanding.port}/saved", ca=authority.certificate,
            client_certificate=client.certificate, client_key=HIDDEN,
        )  # fmt: skip
        assert saved.status_code == 303, saved.text
        appliance.ring(place[1])
        assert demanding.wait("/saved")
        assert first_error(appliance, webhook) is None
    finally:
        demanding.close()
    (row,) = appliance.rows("SELECT options FROM webhook WHERE id = :id", id=webhook["id"])
    shown = str(appliance.cli("webhook", "list")) + page + visitor.get("/history").text
    secret = client.key.splitlines()[1]
    assert "sealed:" in str(row.options) and secret not in str(row.options) + shown
    appliance.cli("webhook", "delete", webhook["id"])


class ForwardProxy:
    """A small forward proxy: absolute-form requests and CONNECT. ``asked`` is what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str | None, str | None]] = []
        self.connections: list[socket.socket] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                outer.connections.append(self.connection)

            def note(self) -> None:
                outer.asked.append(
                    (self.command, self.path, self.headers["Host"], self.headers["Proxy-Authorization"])
                )

            def do_CONNECT(self) -> None:
                self.note()
                host, _, port = self.path.rpartition(":")
                with socket.create_connection((host.strip("[]"), int(port))) as far:
                    self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    ends = [self.connection, far]
                    while True:
                        for ready in select.select(ends, [], [], 10)[0]:
                            data = ready.recv(65536)
                            if not data:
                                return
                            ends[ready is self.connection].sendall(data)

            def do_POST(self) -> None:
                self.note()
                body = self.rfile.read(int(self.headers["Content-Length"]))
                target, _, path = self.path.removeprefix("http://").partition("/")
                host, _, port = target.rpartition(":")
                connection = http.client.HTTPConnection(host, int(port))
                connection.request("POST", f"/{path}", body, dict(self.headers))
                answer = connection.getresponse()
                answer.read()
                connection.close()
                self.send_response(answer.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Gone, with the connections that were kept."""
        self._server.shutdown()
        self._server.server_close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def test_through_a_proxy_the_checked_address_is_asked_for(
    tmp_path: Path, receiver: Receiver, secure: Receiver, authority: Authority
) -> None:
    """Host and the TLS name stay the URL's; the rules hold behind it; an environment's proxy is ignored."""
    proxy = ForwardProxy()
    appliance = Appliance(
        tmp_path / "a",
        SPOKE_PROXY=f"http://me:word@127.0.0.1:{proxy.port}",
        HTTP_PROXY="http://127.0.0.1:1", http_proxy="http://127.0.0.1:1", HTTPS_PROXY="http://127.0.0.1:1",
        SPOKE_DENY_NETS="192.168.0.0/16",
    )  # fmt: skip
    try:
        token = appliance.location("Office")
        plain = appliance.webhook("Office", f"http://localhost:{receiver.port}/plain?x=1")
        tls = appliance.webhook("Office", f"https://localhost:{secure.port}/tls", ca=authority.ca)
        appliance.event(token, type="incoming_call", subtype="ringing")
        assert first_error(appliance, plain) is None
        assert first_error(appliance, tls) is None
        got = receiver.wait("/plain?x=1")[0]
        assert got.headers["host"] == f"localhost:{receiver.port}"
        assert secure.wait("/tls")[0].headers["host"] == f"localhost:{secure.port}"
        secret = "Basic bWU6d29yZA=="
        targets = {
            (command, target.replace("[::1]", "127.0.0.1"), key) for command, target, _, key in proxy.asked
        }
        assert targets == {
            ("POST", f"http://127.0.0.1:{receiver.port}/plain?x=1", secret),
            ("CONNECT", f"127.0.0.1:{secure.port}", secret),
        }
        said = appliance.cli("webhook", "add", "--location", "Office", "--kind", "call", "--url",
                             "http://192.168.1.1/", status=1)  # fmt: skip
        assert "SPOKE_DENY_NETS" in said
        proxy.close()
        appliance.event(token, type="outgoing_call", subtype="busy")
        rows: Callable[[], Any] = lambda: appliance.rows(  # noqa: E731
            "SELECT error FROM attempt WHERE error LIKE 'The proxy 127.0.0.1:%'"
        )
        eventually(rows)
        held = appliance.log + "".join(
            str(appliance.rows(f'SELECT * FROM "{name}"')) for name in db.metadata.tables
        )
        assert "me:word" not in held and "bWU6" not in held and "word" not in appliance.log
    finally:
        appliance.end()
