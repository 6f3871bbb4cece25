"""The audit log: who changed what, and when."""

from collections.abc import Sequence

import sqlalchemy as sa

from webhooks.db.models import Change
from webhooks.db.store import Store


class AuditLog:
    """The audit log's lines. Raises ReadFailed as the Store does."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def latest(self, count: int, before: int | None = None, subject: str | None = None) -> Sequence[Change]:
        """Read the newest lines, newest first: those before an id, those about a subject."""
        query = sa.select(Change).order_by(Change.id.desc()).limit(count)
        if before is not None:
            query = query.where(Change.id < before)
        if subject is not None:
            query = query.where(Change.subject == subject)
        with self._store.read() as session:
            return session.scalars(query).all()
