"""Tokens, API keys and session ids: what is kept of them."""

import hashlib


def token_hash(token: str) -> bytes:
    """What is kept of a token or key. They are 256 random bits: no slow hash is needed."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
