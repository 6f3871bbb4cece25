"""What broke an attempt, in a sentence for an operator: what happened, and what to do about it."""

import ssl
from typing import Final

from webhooks.catalogue import in_seconds
from webhooks.cleaning import clean
from webhooks.errors import AttemptError
from webhooks.outbound.deadline import Deadline

_QUOTED: Final = 60  # characters of what a peer said
_CA: Final = "give it to the webhook as its certificate authority (--ca FILE)"
_NO_CHECK: Final = "or switch the webhook's check of the certificate off (--no-verify)"
_NO_TLS: Final = (
    "The receiver does not speak TLS at this port: let the webhook's URL begin with http://, or give it the "
    "port for https."
)
_WANTS_TLS: Final = (
    "The receiver speaks TLS at this port: let the webhook's URL begin with https://, or give it the port "
    "for http."
)
_OLD_TLS: Final = (
    "The receiver speaks only versions of TLS or ciphers that are not safe any more: its operator has to "
    "renew it."
)
_CLIENT: Final = (
    "The receiver demands a client certificate, or does not take the one that the webhook has: give it the "
    "certificate and key that its operator names (--client-certificate FILE, --client-key FILE)."
)
_UNKNOWN_NAME: Final = (
    "The receiver does not know the host name in the webhook's URL: use a name that its TLS is set up for."
)

# OpenSSL's X509_V_ERR_… (x509_vfy.h).
_CERTIFICATES: Final = {
    9: "it is not valid yet: look at this machine's clock, and at the receiver's",
    10: "it has expired: the receiver's operator has to renew it",
    18: f"it is self-signed: {_CA}, {_NO_CHECK}",
    19: f"its authority is not known here: {_CA}, {_NO_CHECK}",
    20: "its authority is not known here, or the receiver does not send the certificates in between: "
    f"take the authority's certificate and {_CA}, {_NO_CHECK}",
    23: "it was revoked: the receiver's operator has to renew it",
    26: "it is not meant for servers: the receiver's operator has to get another one",
    62: "it is for another name than the one in the webhook's URL: call the receiver by a name that the "
    f"certificate has, {_NO_CHECK}",
    64: "it is not for the address in the webhook's URL: call the receiver by the name that the certificate "
    f"has, {_NO_CHECK}",
    66: f"its key is too short to be safe: the receiver's operator has to renew it, {_NO_CHECK}",
    68: f"its signature is too weak to be safe: the receiver's operator has to renew it, {_NO_CHECK}",
}
_ALIKE: Final = {2: 20, 21: 20, 63: 62, 67: 66}

# OpenSSL's reasons, as SSLError.reason has them.
_HANDSHAKES: Final[dict[str, str]] = {
    **dict.fromkeys(
        ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST", "UNKNOWN_PROTOCOL",
         "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "BAD_RECORD_TYPE", "UNEXPECTED_MESSAGE",
         "ENCRYPTED_LENGTH_TOO_LONG", "DATA_LENGTH_TOO_LONG", "INVALID_RECORD_TYPE"),
        _NO_TLS,
    ),
    **dict.fromkeys(
        ("TLSV1_ALERT_PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL", "NO_PROTOCOLS_AVAILABLE",
         "DH_KEY_TOO_SMALL", "EE_KEY_TOO_SMALL", "WRONG_SIGNATURE_TYPE", "WRONG_CIPHER_RETURNED",
         "UNSAFE_LEGACY_RENEGOTIATION_DISABLED", "TLSV1_ALERT_INSUFFICIENT_SECURITY"),
        _OLD_TLS,
    ),
    **dict.fromkeys(
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "SSLV3_ALERT_BAD_CERTIFICATE", "SSLV3_ALERT_NO_CERTIFICATE",
         "SSLV3_ALERT_CERTIFICATE_UNKNOWN", "TLSV1_ALERT_UNKNOWN_CA", "TLSV1_ALERT_ACCESS_DENIED"),
        _CLIENT,
    ),
    **dict.fromkeys(("TLSV1_UNRECOGNIZED_NAME", "TLSV1_ALERT_UNRECOGNIZED_NAME"), _UNKNOWN_NAME),
    "SSLV3_ALERT_HANDSHAKE_FAILURE": (
        "The receiver ended the TLS handshake: it demands a client certificate, or nothing that both sides "
        "hold for safe is left. Its own log says which."
    ),
    "UNEXPECTED_EOF_WHILE_READING": (
        "The receiver closed the connection in the TLS handshake: it may not speak TLS at this port; then "
        "let the webhook's URL begin with http://, or give it the port for https."
    ),
}  # fmt: skip


def explain(error: Exception, deadline: Deadline, timeout_s: float) -> str:
    """A sentence about what broke an attempt that had ``timeout_s``."""
    if isinstance(error, AttemptError):
        return str(error)
    if deadline.left_s() <= 0:
        return too_late(timeout_s)
    return _sentence(error, timeout_s) or f"The request failed: {message_of(error)}."


def too_late(timeout_s: float) -> str:
    """A sentence about an attempt that ran out of time."""
    return f"No complete answer within {in_seconds(timeout_s)}."


def message_of(error: BaseException) -> str:
    """An exception's message, which may quote a peer: one line, without control characters."""
    return clean(str(error)).strip()[:500].rstrip(".") or type(error).__name__


def _sentence(cause: Exception, timeout_s: float) -> str | None:
    if isinstance(cause, ssl.SSLError):
        return tls_sentence(cause)
    if isinstance(cause, ConnectionRefusedError):
        return "The receiver refused the connection: nothing listens at that address and port."
    if isinstance(cause, ConnectionError):  # reset, aborted, broken pipe
        return (
            "The receiver closed the connection without an answer. It may expect https://, or have crashed."
        )
    if isinstance(cause, TimeoutError):
        return too_late(timeout_s)
    if isinstance(cause, OSError) and cause.errno is not None:
        return f"The receiver cannot be reached: {cause.strerror}."
    return None


def tls_sentence(error: ssl.SSLError) -> str:
    """A sentence about a TLS error, for whoever set the webhook up."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = _CERTIFICATES.get(_ALIKE.get(error.verify_code, error.verify_code)) or clean(
            error.verify_message or str(error)
        ).rstrip(".")
        return f"The receiver's certificate cannot be trusted: {why}."
    reason = getattr(error, "reason", None) or (
        "UNEXPECTED_EOF_WHILE_READING" if isinstance(error, ssl.SSLEOFError) else ""
    )
    sentence = _HANDSHAKES.get(reason)
    if sentence:
        return sentence
    what = reason.replace("_", " ").lower() or message_of(error)
    return f"No secure connection could be made (OpenSSL: {what}); the receiver's own log may say more."


def status_line_sentence(line: str) -> str:
    """A sentence about an answer that does not begin with an HTTP status line."""
    if line.startswith(("\x15\x03", "\x16\x03")):  # a TLS alert or handshake (RFC 8446, section 5.1)
        return _WANTS_TLS
    start = clean(line).strip()[:_QUOTED]
    return f"The receiver's answer is not HTTP: it begins with “{start}”." if start else (
        "The receiver's answer is not HTTP."
    )  # fmt: skip
