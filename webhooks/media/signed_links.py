"""Download links: a recording's id and an expiry, signed over both as text with itsdangerous."""

import hashlib
import hmac
import re
import time
from collections.abc import Callable, Sequence
from typing import Final

from itsdangerous import Signer

from webhooks.errors import LinkExpired, LinkForbidden
from webhooks.keyring import Key

_SALT: Final = b"spoke.media.download"
_EXPIRES: Final = re.compile(r"[1-9][0-9]{0,11}", re.ASCII)


class Links:
    """Makes and checks links.

    Args:
        keys: gives the present key first, then former ones.
        ttl_s: how long a link lives, in seconds.
        clock: the time in Unix seconds.
    """

    def __init__(
        self,
        keys: Callable[[], Sequence[Key]],
        base_url: str,
        ttl_s: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys, self._base, self._ttl_s, self._clock = keys, base_url, ttl_s, clock

    def link(self, media_id: str) -> str:
        """Make an absolute link that works from now on."""
        expires = str(int(self._clock()) + self._ttl_s)
        signature = _signature(self._keys()[0], media_id, expires)
        return f"{self._base}/api/media/download/{media_id}?expires={expires}&signature={signature}"

    def check(self, media_id: str, expires: str, signature: str) -> None:
        """Raise unless the link was made here and still lives.

        The signature is compared as text: another spelling of the same bytes is refused.

        Raises:
            LinkForbidden: the link was not signed here. LinkExpired: it was, and is too old.
        """
        given = signature.encode("utf-8", "surrogateescape")
        right = False
        for key in self._keys():
            same = hmac.compare_digest(_signature(key, media_id, expires).encode(), given)
            right |= same and _EXPIRES.fullmatch(expires) is not None and _could_sign(key, int(expires))
        if not right:
            raise LinkForbidden("This link is not one of ours: id, expires and signature have to be as sent.")
        if int(expires) <= self._clock():
            raise LinkExpired("This link has expired. A new one comes with the next attempt of the delivery.")


def _could_sign(key: Key, expires: int) -> bool:
    return key.last_expiry_s is None or expires <= key.last_expiry_s


def _signature(key: Key, media_id: str, expires: str) -> str:
    signer = Signer(key.secret, salt=_SALT, key_derivation="hmac", digest_method=hashlib.sha256)
    return signer.get_signature(f"{media_id}.{expires}".encode("utf-8", "surrogateescape")).decode()
