"""Standard Webhooks signatures (standardwebhooks.com): secrets and the three headers."""

import base64
import functools
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

from standardwebhooks import Webhook


def new_secret() -> str:
    """A fresh ``whsec_…`` secret of 256 bits."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


@functools.lru_cache(maxsize=4096)
def _signer(secret: str) -> Webhook:
    return Webhook(secret)


def signed_headers(keys: Sequence[str], message_id: str, seconds: int, body: str) -> dict[str, str]:
    """The headers for a body sent now; one signature for each key, the present one first.

    ``seconds`` is the Unix time; the receiver refuses what is five minutes off.
    """
    at = datetime.fromtimestamp(seconds, UTC)  # the library takes any zone for UTC
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(_signer(key).sign(message_id, at, body) for key in keys),
    }
