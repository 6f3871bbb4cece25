"""Standard Webhooks signatures (standardwebhooks.com): secrets and the three headers."""

import base64
import functools
import secrets
from collections.abc import Sequence

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC


def new_secret() -> str:
    """A fresh ``whsec_…`` secret of 256 bits."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


@functools.lru_cache(maxsize=4096)
def _keyed(secret: str) -> HMAC:
    """A code under a secret, to be copied for each message: the library's own makes the key anew each time,
    which takes five times as long."""
    key = base64.b64decode(secret.removeprefix("whsec_") + "==")  # "==": unpadded ones are taken too
    if not key:
        raise ValueError("the secret is empty")
    return HMAC(key, SHA256())


def _signature(secret: str, text: bytes) -> str:
    code = _keyed(secret).copy()
    code.update(text)
    return f"v1,{base64.b64encode(code.finalize()).decode()}"


def signed_headers(keys: Sequence[str], message_id: str, unix_s: int, body: str) -> dict[str, str]:
    """The headers for a body that is sent at ``unix_s``: one signature for each key, the present one first.

    A receiver refuses a time that is five minutes off.
    """
    text = f"{message_id}.{unix_s}.{body}".encode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(unix_s),
        "webhook-signature": " ".join([_signature(key, text) for key in keys]),
    }
