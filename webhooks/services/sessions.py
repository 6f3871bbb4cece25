"""Sessions: log-ins of the admin, from any number of browsers."""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import sqlalchemy as sa

from webhooks.audit import record
from webhooks.catalogue import counted
from webhooks.db.models import LoginSession
from webhooks.db.store import Store
from webhooks.services.login_throttle import source
from webhooks.tokens import token_hash

IDLE: Final = timedelta(hours=12)
LONGEST: Final = timedelta(days=7)
_LOGIN: Final = "SELECT created_at, seen_at FROM login_session WHERE id_hash = :id_hash"
_SEEN_EVERY: Final = timedelta(minutes=5)  # not each page is worth a write


def _now() -> datetime:
    return datetime.now(UTC)


class Sessions:
    """Log-ins that go on. Raises Unavailable as the Store does."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def begin(self, address: str, browser: str) -> str:
        """Begin a session, and delete expired ones. Returns the session's id, for its cookie."""
        session_id = secrets.token_urlsafe(32)
        now = _now()
        with self._store.write() as session:
            session.execute(sa.delete(LoginSession).where(_expired(now)))
            session.add(
                LoginSession(
                    id_hash=token_hash(session_id), created_at=now, seen_at=now,
                    address=source(address)[:60], browser=browser[:200],
                )
            )  # fmt: skip
            record(session.connection(), "admin", "logged in")
        return session_id

    def known(self, session_id: str) -> bool:
        """Whether a session goes on. That it was seen is written down now and then."""
        now, id_hash = _now(), token_hash(session_id)
        with self._store.direct_read() as direct:
            row = direct.row(_LOGIN, {"id_hash": id_hash})
        if row is None:
            return False
        created_at, seen_at = (datetime.fromtimestamp(ms / 1000, UTC) for ms in row)
        if now - seen_at > IDLE or now - created_at > LONGEST:
            return False
        if now - seen_at > _SEEN_EVERY:
            with self._store.write() as session:
                session.execute(
                    sa.update(LoginSession).where(LoginSession.id_hash == id_hash).values(seen_at=now)
                )
        return True

    def end(self, session_id: str) -> None:
        """End a session."""
        with self._store.write() as session:
            session.execute(sa.delete(LoginSession).where(LoginSession.id_hash == token_hash(session_id)))

    def end_all(self) -> int:
        """End all sessions. Returns how many those were."""
        with self._store.write() as session:
            ended = len(session.scalars(sa.delete(LoginSession).returning(LoginSession.id_hash)).all())
            record(session.connection(), "admin", f"logged out everywhere: {counted(ended, 'session')} ended")
            return ended

    def all(self) -> Sequence[LoginSession]:
        """Read the sessions that go on, the latest first."""
        with self._store.read() as session:
            query = sa.select(LoginSession).where(~_expired(_now())).order_by(LoginSession.seen_at.desc())
            return session.scalars(query).all()


def _expired(now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(LoginSession.seen_at < now - IDLE, LoginSession.created_at < now - LONGEST)
