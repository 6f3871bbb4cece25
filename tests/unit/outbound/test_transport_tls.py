"""TLS to a receiver: whom it is for, whom we trust, who we are; and tunnels through a forward proxy."""

import ipaddress
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from certificates import Made, make
from raw_receiver import CLOSE, DRIP, HANG, MESSAGE, OK, Serve, attempt, sender_to

from webhooks.errors import ConnectionFailed
from webhooks.outbound.address_rules import Address, AddressRules
from webhooks.outbound.connector import Connector
from webhooks.outbound.deadline import Deadline
from webhooks.outbound.forward_proxy import Proxy
from webhooks.outbound.resolver import Resolver
from webhooks.outbound.sender import Message

ANY = AddressRules(allow=(ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")))

ServerTLS = Callable[..., ssl.SSLContext]


class Everywhere(Resolver):
    """Knows every name, as this machine. ``asked``: the names."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def addresses(self, host: str, wait_s: float) -> list[Address]:
        self.asked.append(host)
        return [ipaddress.ip_address("127.0.0.1")]


@pytest.fixture(scope="module")
def authority() -> Made:
    return make("Test authority", is_authority=True)


@pytest.fixture
def server_tls(authority: Made, tmp_path: Path) -> ServerTLS:
    def of(name: str = "localhost", version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
        file = tmp_path / "server.pem"
        file.write_text(make(name, authority).pem)
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(file)
        if version:
            made.maximum_version = version
        return made

    return of


def test_the_certificate_is_checked_by_the_urls_name_and_told_to_the_receiver(
    serve: Serve, server_tls: ServerTLS, authority: Made
) -> None:
    asked: list[str | None] = []
    own = server_tls()
    own.sni_callback = lambda _, name, __: asked.append(name)
    receiver = serve([OK], context=own)
    with sender_to(receiver.url(), ca=authority.certificate) as sender:
        assert attempt(sender).http_status == 200
    spelled, here = f"https://LOCALHOST.:{receiver.port}/", Connector(ANY, resolver=Everywhere())
    with sender_to(spelled, connector=here, ca=authority.certificate) as sender:
        assert attempt(sender).http_status == 200
    assert asked == ["localhost", "localhost"]
    with sender_to(receiver.url()) as sender:
        assert "its authority is not known here" in (attempt(sender).error or "")
    other = f"https://127.0.0.1:{receiver.port}/"
    with sender_to(other, ca=authority.certificate) as sender:
        assert "not for the address" in (attempt(sender).error or "")
    with sender_to(other, verify=False) as sender:
        assert attempt(sender).http_status == 200
    assert len(receiver.requests) == 3


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_certificate_is_shown_to_a_receiver_that_demands_one(
    serve: Serve, server_tls: ServerTLS, authority: Made, version: ssl.TLSVersion
) -> None:
    own = server_tls(version=version)
    own.verify_mode = ssl.CERT_REQUIRED
    own.load_verify_locations(cadata=authority.certificate)
    receiver = serve([OK], context=own)
    client = make("spoke", authority)
    with sender_to(receiver.url(), ca=authority.certificate, identity=client.pem) as sender:
        assert attempt(sender).http_status == 200
    assert receiver.certificates == [client.der]
    stranger = make("spoke", make("Another authority", is_authority=True))
    for identity in (None, stranger.pem):
        with sender_to(receiver.url(), ca=authority.certificate, identity=identity) as sender:
            refused = attempt(sender)
        assert refused.broken and "client certificate" in (refused.error or ""), refused.error


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_new_connection_resumes_the_session_of_the_one_before(
    serve: Serve, server_tls: ServerTLS, authority: Made, version: ssl.TLSVersion
) -> None:
    closing = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    receiver = serve([closing], context=server_tls(version=version))
    with sender_to(receiver.url(), ca=authority.certificate) as sender:
        assert [attempt(sender).http_status for _ in range(3)] == [200] * 3
    assert receiver.resumed == [False, True, True]


def test_a_connection_is_kept_also_by_tls(serve: Serve, server_tls: ServerTLS, authority: Made) -> None:
    receiver = serve([OK], context=server_tls())
    with sender_to(receiver.url(), ca=authority.certificate) as sender:
        assert [attempt(sender).response_body for _ in range(3)] == ["ok"] * 3
    assert receiver.connections == 1


def test_a_body_that_no_buffer_holds_goes_out_whole(
    serve: Serve, server_tls: ServerTLS, authority: Made
) -> None:
    body = "x" * (8 << 20)
    for receiver in (serve([OK]), serve([OK], context=server_tls())):
        with sender_to(receiver.url(), 20, ca=authority.certificate) as sender:
            assert sender.send(Message(1, 1, MESSAGE.message_id, body), Deadline(20)).http_status == 200
        assert receiver.requests[0].endswith(b"\r\n\r\n" + body.encode())


def test_a_silent_handshake_and_a_dripping_answer_end_with_the_deadline(
    serve: Serve, server_tls: ServerTLS, authority: Made
) -> None:
    silent = serve([HANG])  # waits for a request in plain text
    with sender_to(f"https://localhost:{silent.port}/", 0.3) as sender:
        outcome = attempt(sender)
    assert outcome.error == "No complete answer within 0.3 seconds." and outcome.broken
    dripping = serve([b"HTTP/1.1 200 OK\r\n\r\n", b"x", DRIP], context=server_tls())
    with sender_to(dripping.url(), 1, ca=authority.certificate) as sender:
        outcome = attempt(sender)
    assert outcome.delivered and "No complete answer within 1 second." in (outcome.response_body or "")


def test_a_name_with_other_letters_is_called_by_its_ascii_form(serve: Serve) -> None:
    receiver = serve([OK])
    everywhere = Everywhere()
    url = f"http://Bücher.example:{receiver.port}/"
    with sender_to(url, connector=Connector(ANY, resolver=everywhere)) as sender:
        assert attempt(sender).delivered
    assert everywhere.asked == ["xn--bcher-kva.example"]
    assert f"Host: xn--bcher-kva.example:{receiver.port}\r\n".encode() in receiver.requests[0]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 100 x\r\n\r\nHTTP/1.1 103 x\r\nLink: a\r\n\r\nHTTP/1.0 200 x\r\n\r\n",
        b"HTTP/1.1 200\nno header\n\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
    ],
    ids=["plain", "interim", "broken", "long"],
)
def test_a_proxys_answer_is_read_as_a_receivers_and_no_byte_further(serve: Serve, answer: bytes) -> None:
    receiver = serve([answer + b"220 mail\r\n", CLOSE])
    connector = Connector(ANY, Proxy("127.0.0.1", receiver.port))
    sock, _ = connector.connect("127.0.0.2", 25, Deadline(20), tunnel=True)
    with sock:
        assert sock.recv(100) == b"220 mail\r\n"
    assert receiver.requests == [b"CONNECT 127.0.0.2:25 HTTP/1.1\r\nHost: 127.0.0.2:25\r\n\r\n"]


@pytest.mark.parametrize(
    ("script", "seconds", "sentence"),
    [
        ([b"HTTP/1.1 407 Who?\r\n\r\n"], 20, "The proxy refused to connect to 127.0.0.2:25: 407 Who?."),
        ([b"SSH-2.0\r\n\r\n"], 20, "The proxy gave no answer of HTTP to a request for 127.0.0.2:25."),
        ([CLOSE], 20, "The proxy gave no answer of HTTP to a request for 127.0.0.2:25."),
        ([HANG], 0.3, "The proxy gave no answer to a request for 127.0.0.2:25: timed out."),
        ([b"X: y\r\n", DRIP], 0.3, "The proxy gave no answer to a request for 127.0.0.2:25: timed out."),
    ],
)
def test_a_proxy_that_opens_no_tunnel_is_told(
    serve: Serve, script: list[bytes | str], seconds: float, sentence: str
) -> None:
    connector = Connector(ANY, Proxy("127.0.0.1", serve(script).port))
    with pytest.raises(ConnectionFailed) as failed:
        connector.connect("127.0.0.2", 25, Deadline(seconds), tunnel=True)
    assert str(failed.value) == sentence
