"""The end of a receiver's certificate, read from a connection as attempts make them."""

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from receiver import Receiver

from webhooks.db.models import Certificate, Webhook
from webhooks.services.certificates import Certificates
from webhooks.services.container import Services
from webhooks.services.webhook_input import WebhookInput

ENDS_AT = datetime.now(UTC).replace(microsecond=0) + timedelta(days=5)


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[Receiver]:
    """A receiver whose self-signed certificate ends in five days."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(ENDS_AT - timedelta(days=10))
        .not_valid_after(ENDS_AT)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    one = Receiver(context)
    yield one
    one.close()


def test_a_certificate_is_looked_at_once_a_day_and_its_end_is_a_matter(
    services: Services, secure: Receiver
) -> None:
    services.locations.add("Office")
    webhook = services.webhooks.add(
        "Office", WebhookInput(kind="call", url=f"https://127.0.0.1:{secure.port}/")
    )
    certificates, begin = Certificates(services.settings, services.store), datetime.now(UTC)
    assert certificates.check_due(begin) == 0  # it is being set up
    assert certificates.check_due(begin + timedelta(minutes=11)) == 1
    assert certificates.check_due(begin + timedelta(hours=24)) == 0
    assert certificates.check_due(begin + timedelta(hours=25)) == 1
    with services.store.read() as session:
        assert [row.ends_at for row in session.scalars(sa.select(Certificate))] == [ENDS_AT]
    services.alerts.look()
    (matter,) = [row for row in services.alerts.open() if row.kind == "certificate_ends"]
    assert matter.subject == f"webhook {webhook.id}" and f"{ENDS_AT:%Y-%m-%d}" in matter.text
    assert secure.requests == []


def test_what_cannot_be_read_is_tried_again_after_an_hour(services: Services) -> None:
    services.locations.add("Office")
    services.webhooks.add("Office", WebhookInput(kind="call", url="https://127.0.0.1:9/"))
    with services.store.write() as session:
        session.execute(sa.update(Webhook).values(created_at=datetime.now(UTC) - timedelta(days=1)))
    certificates, begin = Certificates(services.settings, services.store), datetime.now(UTC)
    assert certificates.check_due(begin) == 1
    assert certificates.check_due(begin + timedelta(minutes=59)) == 0
    assert certificates.check_due(begin + timedelta(minutes=61)) == 1
