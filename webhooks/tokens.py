"""Hashes of tokens, API keys and session ids: all that is kept of them."""

import hashlib


def token_hash(token: str) -> bytes:
    """Hash a token or key by SHA-256. It has 256 random bits, so that no slow hash is needed."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
