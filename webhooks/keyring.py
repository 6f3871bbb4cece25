"""The keys that sign links and seal secrets: SPOKE_SECRET_KEY, or those of a file in the data dir."""

import secrets
from dataclasses import dataclass
from typing import Final

from webhooks.data_dir import file_lock, make_ready, write_whole
from webhooks.errors import StartError
from webhooks.settings import MIN_SECRET, Settings


def secret_key(settings: Settings) -> str:
    """Return the present key: SPOKE_SECRET_KEY, or one that is made once and kept in the data dir.

    Raises:
        StartError: the file that keeps it cannot be read, or holds none.
    """
    if settings.secret_key:
        return settings.secret_key
    make_ready(settings)
    path = settings.data / "secret.key"
    with file_lock(settings.data / "schema.lock"):
        if not path.exists():
            write_whole(path, secrets.token_urlsafe(48) + "\n")
        try:
            key = (path.read_text().split() or [""])[0]  # keys that were replaced stand below
        except (OSError, UnicodeDecodeError) as error:
            raise StartError(
                f"{path} cannot be read: {error}. Make it readable for the user who runs this, or restore it "
                "from a backup."
            ) from None
    if len(key) < MIN_SECRET:
        raise StartError(
            f"{path} holds no key. Restore it from a backup; or delete it, which ends all sessions and links."
        )
    return key


_FILE: Final = "secret.key"


@dataclass(frozen=True, slots=True)
class Key:
    """A key. ``last_expiry_s`` is the latest expiry (Unix time) that it may have signed, None while in use.

    So whoever learns a key after it was replaced cannot make links that live longer than its own did.
    """

    secret: str
    last_expiry_s: int | None = None


class Keyring:
    """The keys; call it for them, the present one first. A change of the file holds at the next call.

    The file has a key a line. Behind a former key stands the latest expiry that it may have signed.
    """

    def __init__(self, settings: Settings) -> None:
        self._path = settings.data / _FILE
        self._first = [settings.secret_key] if settings.secret_key else []
        self._old = [Key(secret) for secret in settings.old_secret_keys]
        self._read_at = -1
        self._kept: list[Key] = []

    def __call__(self) -> list[Key]:
        """Raises StartError where there is no key."""
        try:
            changed = self._path.stat().st_mtime_ns
            if changed != self._read_at:
                self._kept = [_key(line) for line in self._path.read_text().splitlines() if line.strip()]
                self._read_at = changed
        except (OSError, UnicodeDecodeError, ValueError) as error:
            if not self._first:
                raise StartError(f"{self._path} cannot be read: {error}.") from None
            self._kept = []
        keys = [*(Key(secret) for secret in self._first), *self._kept, *self._old]
        if not keys:
            raise StartError(f"{self._path} holds no key: restore it from a backup, or restart.")
        return keys


def _key(line: str) -> Key:
    secret, _, last_expiry = line.strip().partition(" ")
    return Key(secret, int(last_expiry) if last_expiry else None)
