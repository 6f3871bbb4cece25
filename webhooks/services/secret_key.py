"""Rotation of the secret key, which signs links and seals secrets."""

import secrets
import time

from webhooks.data_dir import file_lock, write_whole
from webhooks.db.sealing import keep_sealed, seal_anew
from webhooks.db.store import Store
from webhooks.errors import Conflict
from webhooks.keyring import secret_key
from webhooks.settings import Settings


def rotate_secret_key(settings: Settings, store: Store) -> int:
    """Make a new key. Returns how many former ones still check links.

    A former key is dropped once the last of its links has expired. Secrets in the database are sealed anew
    before and after, so that no key that is dropped is needed for them.

    Raises:
        Conflict: the key is SPOKE_SECRET_KEY's.
    """
    if settings.secret_key:
        raise Conflict(
            "SPOKE_SECRET_KEY is set and wins: put another value there and the present one into "
            "SPOKE_OLD_SECRET_KEYS, so that links already sent live on."
        )
    secret_key(settings)
    path = settings.data / "secret.key"
    with file_lock(settings.data / "schema.lock"):
        with store.write() as session:
            seal_anew(session)
        present, *former = path.read_text().splitlines()
        last_expiry = int(time.time()) + settings.media_link_ttl
        kept = [line for line in former if int(line.split()[1]) > time.time()]
        lines = [secrets.token_urlsafe(48), f"{present.strip()} {last_expiry}", *kept]
        write_whole(path, "\n".join(lines) + "\n")
        keep_sealed(settings, store)
    return len(lines) - 1
