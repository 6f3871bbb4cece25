"""The end of the certificate that a receiver shows, whoever signed it."""

import contextlib
from datetime import datetime
from urllib.parse import urlsplit

from cryptography import x509

from webhooks.errors import AttemptError
from webhooks.outbound.address_rules import check_url
from webhooks.outbound.connector import Connector
from webhooks.outbound.deadline import Deadline
from webhooks.outbound.tls import secured, ssl_context


def ends_at(url: str, connector: Connector, deadline: Deadline) -> datetime | None:
    """Make a connection as an attempt does, and read the certificate. Returns None where none can be read."""
    host = check_url(url)
    # Trust is the attempts' affair: an untrusted certificate ends as well.
    context = ssl_context(None, False)
    with contextlib.suppress(AttemptError, OSError, ValueError):
        sock, _ = connector.connect(host, urlsplit(url).port or 443, deadline, tunnel=True)
        with secured(sock, context, host, deadline) as secure:
            shown = secure.getpeercert(binary_form=True)
        if shown:
            return x509.load_der_x509_certificate(shown).not_valid_after_utc
    return None
