"""TLS of what leaves us: whom to trust, who we are, and the handshake under a deadline."""

import functools
import os
import socket
import ssl

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from webhooks.outbound.deadline import Deadline


def ssl_context(ca: str | None, verify: bool, identity: str | None = None) -> ssl.SSLContext:
    """Trust the authority ``ca`` (PEM) alone, else those of the machine and of certifi.

    Without ``verify`` anybody is trusted. ``identity``: the client's certificate and its key (PEM), shown to
    a receiver that asks for one.

    Raises:
        SSLError, ValueError: ``ca`` is no certificate, or ``identity`` no certificate with its key.
    """
    if verify and ca is None and identity is None:
        return _common_ssl_context()
    if not verify:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif ca is None:
        context = _usual_ssl_context()
    else:
        context = ssl.create_default_context(cadata=ca)
        _lenient(context)
    if identity is not None:
        _show(context, identity)
    return context


def check_identity(certificate: str, key: str) -> None:
    """Check a client's certificate and its key (PEM).

    Raises:
        ValueError: a sentence about what cannot be used.
    """
    if not key.isascii() or "PRIVATE KEY-----" not in key:
        raise ValueError("The client key has to be a private key in PEM form.")
    try:
        ssl_context(None, False, f"{certificate}\n{key}")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ValueError("The client key does not belong to the client certificate.") from None
        what = (error.reason or str(error)).replace("_", " ").lower()
        raise ValueError(f"The client certificate and its key cannot be used (OpenSSL: {what}).") from None


def secured(
    sock: socket.socket,
    context: ssl.SSLContext,
    host: str,
    deadline: Deadline,
    session: ssl.SSLSession | None = None,
) -> ssl.SSLSocket:
    """Shake hands with ``host`` over a connection, which is closed where that fails.

    ``session``: of an earlier connection by the same context, to be resumed.

    Raises:
        OSError: of the handshake; ssl.SSLError is one. ValueError: ``host`` can be no name in TLS.
    """
    try:
        deadline.limit(sock)
        secure = context.wrap_socket(
            sock, server_hostname=host.rstrip("."), do_handshake_on_connect=False, session=session
        )
    except BaseException:
        sock.close()
        raise
    try:
        deadline.limit(secure)
        secure.do_handshake()
    except BaseException:
        secure.close()
        raise
    return secure


def _show(context: ssl.SSLContext, identity: str) -> None:
    """Show this certificate. Python reads it from a file only: here from one in memory, not on the disk."""
    descriptor = os.memfd_create("identity", os.MFD_CLOEXEC)
    try:
        with open(descriptor, "w", encoding="ascii", closefd=False) as file:
            file.write(identity)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}", password=_no_password)
    finally:
        os.close(descriptor)


def _no_password() -> str:
    """Answer in place of the terminal, which OpenSSL would ask."""
    raise ValueError(
        "The client key has a password. Give it without one (openssl pkey -in FILE writes it so)."
    )


def _lenient(context: ssl.SSLContext) -> None:
    # From Python 3.13 on also the form of an authority's own certificate is checked (RFC 5280, section 4.2),
    # which many in-house authorities fail. Signature, name and dates are checked all the same.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT


def _usual_ssl_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    _lenient(context)
    return context


_common_ssl_context = functools.cache(_usual_ssl_context)  # many webhooks share it: it takes 0.1 s to load
