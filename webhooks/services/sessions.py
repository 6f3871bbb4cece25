"""Sessions: who is logged in. One admin, any number of browsers."""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import sqlalchemy as sa

from webhooks.audit import record
from webhooks.db.models import LoginSession
from webhooks.db.store import Store
from webhooks.services.login_throttle import source
from webhooks.tokens import token_hash

IDLE: Final = timedelta(hours=12)
LONGEST: Final = timedelta(days=7)
_SEEN_EVERY: Final = timedelta(minutes=5)  # a page's view is not worth a write


def _now() -> datetime:
    return datetime.now(UTC)


class Sessions:
    """Log-ins that go on. Raises Unavailable as the Store does."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def begin(self, address: str, browser: str) -> str:
        """A new session's id, for its cookie; what has expired is cleared away."""
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
        """Whether the session goes on; that it does is noted now and then."""
        now = _now()
        with self._store.read() as session:
            found = session.get(LoginSession, token_hash(session_id))
        if found is None or now - found.seen_at > IDLE or now - found.created_at > LONGEST:
            return False
        if now - found.seen_at > _SEEN_EVERY:
            with self._store.write() as session:
                session.execute(
                    sa.update(LoginSession).where(LoginSession.id_hash == found.id_hash).values(seen_at=now)
                )
        return True

    def end(self, session_id: str) -> None:
        with self._store.write() as session:
            session.execute(sa.delete(LoginSession).where(LoginSession.id_hash == token_hash(session_id)))

    def end_all(self) -> int:
        """Log out everywhere; the answer is how many sessions ended."""
        with self._store.write() as session:
            ended = len(session.scalars(sa.delete(LoginSession).returning(LoginSession.id_hash)).all())
            record(session.connection(), "admin", f"logged out everywhere: {ended} sessions ended")
            return ended

    def all(self) -> Sequence[LoginSession]:
        """Those that go on, the latest first."""
        with self._store.read() as session:
            query = sa.select(LoginSession).where(~_expired(_now())).order_by(LoginSession.seen_at.desc())
            return session.scalars(query).all()


def _expired(now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(LoginSession.seen_at < now - IDLE, LoginSession.created_at < now - LONGEST)
