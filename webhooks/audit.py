"""The audit log: who changed what, when; written in the transaction of the change itself."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Final

from webhooks.db.raw import Connection, run
from webhooks.db.store import now_ms

_actor: ContextVar[str] = ContextVar("actor", default="The appliance")
_RECORD: Final = "INSERT INTO change (at, actor, subject, text) VALUES (:at, :actor, :subject, :text)"
_LONGEST: Final = 2000


@contextlib.contextmanager
def by(actor: str) -> Iterator[None]:
    """Name who makes the changes inside: a page's visitor, a command, an API key."""
    token = _actor.set(actor[:200])
    try:
        yield
    finally:
        _actor.reset(token)


def record(connection: Connection, subject: str, text: str) -> None:
    """Write a line about ``subject``, such as "webhook 3", in the caller's transaction.

    ``text`` is a sentence without its subject, and without secrets.
    """
    row = {"at": now_ms(), "actor": _actor.get(), "subject": subject[:200], "text": text[:_LONGEST]}
    run(connection, _RECORD, row)
