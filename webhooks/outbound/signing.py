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


def signed_headers(keys: Sequence[str], message_id: str, unix_s: int, body: str) -> dict[str, str]:
    """The headers for a body that is sent at ``unix_s``: one signature for each key, the present one first.

    A receiver refuses a time that is five minutes off.
    """
    at = datetime.fromtimestamp(unix_s, UTC)  # the library takes any zone for UTC
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(unix_s),
        "webhook-signature": " ".join(_signer(key).sign(message_id, at, body) for key in keys),
    }
