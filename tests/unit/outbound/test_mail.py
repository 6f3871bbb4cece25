"""A message handed to a mail server: over TLS or without, with a log-in or none; and each way it can fail."""

import contextlib
import ipaddress
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from smtp_server import SmtpServer

from webhooks.outbound.address_rules import AddressRules
from webhooks.outbound.connector import Connector
from webhooks.outbound.deadline import Deadline
from webhooks.outbound.mail import MailSender, MailServer
from webhooks.outbound.sender import Message, Outcome

LOCAL = Connector(AddressRules(allow=(ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))))
MESSAGE = Message(
    7, 1, "6d739560-1741-11ed-861d-0242ac120002", "Spoke: Ümlaut\r\nBcc: x\n\nFirst.\n.\nLast.\n"
)


def server_of(port: int, **changed: Any) -> MailServer:
    given: dict[str, Any] = {
        "host": "localhost", "port": port, "security": "none", "user": "", "password": None,
        "sender": "spoke@example.com", "recipients": ("admin@example.com", "pbx@example.com"), **changed,
    }  # fmt: skip
    return MailServer(**given)


def send(port: int, connector: Connector = LOCAL, seconds: float = 20, **changed: Any) -> Outcome:
    return MailSender(server_of(port, **changed), connector).send(MESSAGE, Deadline(seconds))


@pytest.fixture
def smtp() -> Iterator[Callable[..., SmtpServer]]:
    with contextlib.ExitStack() as servers:

        def start(**more: Any) -> SmtpServer:
            one = SmtpServer(**more)
            servers.callback(one.close)
            return one

        yield start


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for localhost with its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("smtp") / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return file


def context_of(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def public_part(certificate: Path) -> str:
    return certificate.read_text().partition("-----BEGIN PRIVATE")[0]


def test_a_message_arrives_as_it_was_meant(smtp: Callable[..., SmtpServer]) -> None:
    server = smtp()
    outcome = send(server.port)
    assert outcome.delivered, outcome.error
    (mail,) = server.mails
    assert (mail.sender, mail.recipients) == ("spoke@example.com", ["admin@example.com", "pbx@example.com"])
    assert mail.subject == "Spoke: Ümlaut  Bcc: x" and "Bcc" not in mail.message
    assert mail.text.splitlines() == ["First.", ".", "Last."]
    assert mail.message["Message-ID"] == f"<{MESSAGE.message_id}@example.com>"


def test_starttls_and_a_log_in(smtp: Callable[..., SmtpServer], certificate: Path) -> None:
    server = smtp(tls=context_of(certificate), login=("spoke", "geheim"))
    good: dict[str, Any] = {"security": "starttls", "user": "spoke", "ca": public_part(certificate)}
    right = send(server.port, password="geheim", **good)
    assert right.delivered and len(server.mails) == 1, right.error
    wrong = send(server.port, password="falsch", **good)
    assert wrong.error and "refused user or password: 535" in wrong.error and "falsch" not in wrong.error
    untrusted = send(server.port, security="starttls", user="spoke", password="geheim")
    assert untrusted.error and "certificate cannot be trusted" in untrusted.error
    plain = send(server.port)
    assert plain.error and "530 log in first" in plain.error
    assert len(server.mails) == 1


def test_tls_from_the_start_against_a_server_without_it_is_told(smtp: Callable[..., SmtpServer]) -> None:
    outcome = send(smtp().port, security="tls")
    assert outcome.error and "does not speak TLS at this port" in outcome.error
    no_starttls = send(smtp().port, security="starttls")
    assert no_starttls.error and "does not offer what is set" in no_starttls.error


def test_a_server_that_takes_connections_and_says_nothing_is_left_at_the_deadline(
    smtp: Callable[..., SmtpServer],
) -> None:
    outcome = send(smtp(hangs=True).port, seconds=0.3)
    assert outcome.error and outcome.error.startswith("It gave no complete answer in time.")


def test_where_nothing_listens_it_says_so(smtp: Callable[..., SmtpServer]) -> None:
    server = SmtpServer()
    server.close()
    outcome = send(server.port)
    assert outcome.error and outcome.error.startswith("Nothing listens there")
    assert f"localhost:{server.port}" in outcome.error


def test_the_address_rules_hold_for_a_mail_server_too(smtp: Callable[..., SmtpServer]) -> None:
    server = smtp()
    outcome = send(server.port, Connector(AddressRules()), host="127.0.0.1")
    assert outcome.error and "SPOKE_ALLOW_NETS" in outcome.error
    assert server.connections == 0


def test_recipients_that_are_refused_are_told(smtp: Callable[..., SmtpServer]) -> None:
    some = send(smtp(refused={"pbx@example.com"}).port)
    assert some.delivered and "not for pbx@example.com: 550" in (some.response_body or "")
    every = send(smtp(refused={"pbx@example.com", "admin@example.com"}).port)
    assert every.error and "refused all recipients" in every.error


def test_a_message_that_is_refused_is_a_failure(smtp: Callable[..., SmtpServer]) -> None:
    outcome = send(smtp(answer="554 5.7.1 spam").port)
    assert outcome.error and "refused the message: 554 5.7.1 spam" in outcome.error
