"""Encryption of secrets in the database, so that a copy of the database is no copy of them.

Secrets are sealed by Fernet (AES and HMAC, cryptography.io) under a key derived from the secret key. What a
former key has sealed can be read while the keyring has that key; ``db/sealing.py`` seals it anew.
"""

import base64
import functools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeGuard
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from webhooks.errors import SecretLost, StartError, Unavailable
from webhooks.keyring import Key

_MARK: Final = "sealed:"
_SEALED: Final = re.compile(r"sealed:gAAAA[\w-]{60,}={0,2}", re.ASCII)
_KEPT: Final = 8192  # secrets that a process has opened


def is_sealed(text: str) -> bool:
    """Whether a text is sealed. A secret that no key here can open comes so from the database."""
    return _SEALED.fullmatch(text) is not None


def readable(text: str | None) -> TypeGuard[str]:
    """Whether it is a secret that can be used."""
    return bool(text) and not is_sealed(text or "")


class Vault:
    """Seals and opens secrets. ``keys`` gives the present key first, then former ones."""

    def __init__(self, keys: Callable[[], Sequence[Key]]) -> None:
        self._keys = keys

    @property
    def key_id(self) -> str:
        """A name of the present key, which tells nothing of it."""
        return _derived(self._keys()[0].secret, b"spoke: name of the key").hex()[:16]

    def seal(self, text: str) -> str:
        """Seal a secret. A text that is sealed already stays as it is.

        Raises:
            Unavailable: there is no key now.
        """
        if is_sealed(text):
            return text
        try:
            key = self._keys()[0].secret
        except StartError as error:
            raise Unavailable(f"Secrets cannot be kept now: {error}") from None
        return _MARK + _fernet(key).encrypt(text.encode("utf-8", "surrogatepass")).decode()

    def open(self, text: str) -> str:
        """Open a sealed secret. A text that is not sealed stays as it is.

        Raises:
            SecretLost: it was sealed with a key that is not here.
        """
        if not is_sealed(text):
            return text
        try:
            return _opened(text, tuple(key.secret for key in self._keys()))
        except (InvalidToken, StartError):
            raise SecretLost from None


def _derived(secret: str, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(secret.encode())


@functools.lru_cache(maxsize=16)
def _fernet(secret: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(_derived(secret, b"spoke: secrets at rest")))


@functools.lru_cache(maxsize=_KEPT)
def _opened(text: str, secrets: tuple[str, ...]) -> str:
    opened = MultiFernet([_fernet(secret) for secret in secrets]).decrypt(text.removeprefix(_MARK))
    return opened.decode("utf-8", "surrogatepass")


_vaults: WeakKeyDictionary[sa.Dialect, Vault] = WeakKeyDictionary()


def use(engine: sa.Engine, vault: Vault) -> None:
    """Seal and open secrets with this vault wherever this SQLAlchemy engine is used."""
    _vaults[engine.dialect] = vault


def _opened_or_sealed(value: str, dialect: sa.Dialect) -> str:
    try:
        return _vaults[dialect].open(value)
    except SecretLost:
        return value


class Sealed(sa.TypeDecorator[str]):
    """A column of sealed texts. A text that cannot be opened is read, and written back, as it is.

    Args:
        sqlite_length: the column's length on SQLite, which neither enforces it nor can change it.
    """

    impl = sa.Text
    cache_ok = True

    def __init__(self, sqlite_length: int | None = None) -> None:
        super().__init__()
        self.sqlite_length = sqlite_length

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        short = dialect.name == "sqlite" and self.sqlite_length is not None
        return dialect.type_descriptor(sa.String(self.sqlite_length) if short else sa.Text())

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        return None if value is None else _vaults[dialect].seal(value)

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> str | None:
        return None if value is None else _opened_or_sealed(value, dialect)


class SealedOptions(sa.TypeDecorator[dict[str, object]]):
    """A column of webhooks' options; the values of their headers, and the key of a client, are sealed."""

    impl = sa.JSON
    cache_ok = True

    def process_bind_param(
        self, value: dict[str, object] | None, dialect: sa.Dialect
    ) -> dict[str, object] | None:
        return with_secrets(value, _vaults[dialect].seal)

    def process_result_value(
        self, value: dict[str, object] | None, dialect: sa.Dialect
    ) -> dict[str, object] | None:
        return with_secrets(value, lambda text: _opened_or_sealed(text, dialect))


def with_secrets(options: dict[str, object] | None, change: Callable[[str], str]) -> dict[str, object] | None:
    """Return options with ``change`` made to each header's value, and to the client's key."""
    if options is None:
        return None
    changed = dict(options)
    headers, key = options.get("headers"), options.get("client_key")
    if isinstance(headers, Mapping):
        changed["headers"] = {name: change(str(value)) for name, value in headers.items()}
    if isinstance(key, str):
        changed["client_key"] = change(key)
    return changed
