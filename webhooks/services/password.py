"""The admin's password: kept as a hash, checked, changed."""

import hmac
import os
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from pydantic import ConfigDict, Field, field_validator
from sqlalchemy import orm
from werkzeug.security import check_password_hash, generate_password_hash

from webhooks.audit import record
from webhooks.db.meta import ADMIN_PASSWORD_HASH, SESSION_EPOCH
from webhooks.db.store import Store
from webhooks.errors import Conflict
from webhooks.services.parsing import Input, parse
from webhooks.settings import Settings

_MIN_LENGTH: Final = 8
_NICE: Final = 10


def _lower_priority() -> None:
    """Lower the priority of the calling thread, and of no other (Linux: setpriority(2), NOTES)."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


# A check takes 32 MiB and a core for a while: one at a time, at a lower priority than ingest.
_hasher: Final = ThreadPoolExecutor(1, "password", _lower_priority)


class NewPassword(Input):
    """A password to be set, with its blanks."""

    model_config = ConfigDict(str_strip_whitespace=False)

    new: str = Field(title="New password")

    @field_validator("new")
    @classmethod
    def _is_long_enough(cls, password: str) -> str:
        if len(password) < _MIN_LENGTH:
            raise ValueError(f"A password has at least {_MIN_LENGTH} characters.")
        return password


class AdminPassword:
    """SPOKE_ADMIN_PASSWORD where it is set, else the hash in the database.

    Raises Unavailable as the Store does.
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        self._setting, self._store = settings.admin_password, store

    def matches(self, password: str) -> bool:
        """Whether a password is the admin's."""
        if self._setting is not None:
            return hmac.compare_digest(password.encode("utf-8", "replace"), self._setting.encode())
        with self._store.read() as session:
            kept = ADMIN_PASSWORD_HASH.get(session.connection())
        return kept is not None and _hasher.submit(check_password_hash, kept, password).result()

    def check_changeable(self) -> None:
        """Raise Conflict where SPOKE_ADMIN_PASSWORD wins over the database."""
        if self._setting is not None:
            raise Conflict("SPOKE_ADMIN_PASSWORD is set and wins; change it there, or unset it first.")

    def change(self, password: str, consequence: str) -> None:
        """Keep a new password and end all sessions. ``consequence`` ends the line in the audit log.

        Raises:
            Conflict: as ``check_changeable``. Invalid: it is too short.
        """
        self.check_changeable()
        parse(NewPassword, {"new": password})
        with self._store.write() as session:
            _set_password(session, password)
            record(session.connection(), "admin", f"password changed: {consequence}")

    def epoch(self, signing_key: str) -> str:
        """Return a text that changes when all sessions are to end: with each new password."""
        with self._store.direct_read() as direct:
            epoch = SESSION_EPOCH.get(direct) or 0
        mark = ""
        if self._setting is not None:
            mark = hmac.digest(signing_key.encode(), self._setting.encode(), "sha256").hex()[:16]
        return f"{epoch}.{mark}"


def first_password(settings: Settings, store: Store) -> str | None:
    """Make the first password. Returns None where there is one."""
    # A command that comes first leaves it to the first start, where somebody reads what is printed.
    if settings.admin_password or os.environ.get("FLASK_RUN_FROM_CLI") == "true":
        return None
    with store.write() as session:
        if ADMIN_PASSWORD_HASH.get(session.connection()):
            return None
        password = secrets.token_urlsafe(12)
        _set_password(session, password)
        return password


def _set_password(session: orm.Session, password: str) -> None:
    connection = session.connection()
    ADMIN_PASSWORD_HASH.set(connection, generate_password_hash(password))
    SESSION_EPOCH.set(connection, (SESSION_EPOCH.get(connection) or 0) + 1)
