"""Certificates for tests, and their keys."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)


@dataclass(frozen=True)
class Made:
    """A certificate and its key. ``pem`` is both."""

    signed: x509.Certificate
    private: ec.EllipticCurvePrivateKey

    @property
    def certificate(self) -> str:
        return self.signed.public_bytes(Encoding.PEM).decode()

    @property
    def der(self) -> bytes:
        return self.signed.public_bytes(Encoding.DER)

    @property
    def key(self) -> str:
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    @property
    def locked_key(self) -> str:
        locked = BestAvailableEncryption(b"sesame")
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked).decode()

    @property
    def pem(self) -> str:
        return self.certificate + self.key


def make(name: str, authority: Made | None = None, *, is_authority: bool = False) -> Made:
    """A certificate for a name, signed by an authority, or by itself."""
    private = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(authority.signed.subject if authority else subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name.replace(" ", "-"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .sign(authority.private if authority else private, hashes.SHA256())
    )
    return Made(signed, private)
