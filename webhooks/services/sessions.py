"""Who is logged in, and how often a wrong password was tried. One admin, any number of browsers."""

import ipaddress
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy import orm

from webhooks.audit import record
from webhooks.db.models import LoginFailure, LoginSession
from webhooks.db.store import Store
from webhooks.errors import TooMany
from webhooks.tokens import token_hash

IDLE: Final = timedelta(hours=12)
LONGEST: Final = timedelta(days=7)
_SEEN_EVERY: Final = timedelta(minutes=5)  # a page's view is not worth a write
_FREE_TRIES: Final = 5
_LONGEST_WAIT: Final = 300  # seconds
_FORGIVEN: Final = timedelta(hours=1)
_FIRST_TRY: Final = sa.text(
    "INSERT INTO login_failure (address, failures, at) VALUES (:address, 0, :at) ON CONFLICT DO NOTHING"
)


def _now() -> datetime:
    return datetime.now(UTC)


def source(address: str | None) -> str:
    """Whom tries are counted for: an address; of IPv6 the network of 64 bits, which is one household's."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        parsed = parsed.ipv4_mapped or parsed
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))
    return str(parsed)


class Sessions:
    """Raises Busy as the Store does."""

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

    # --- wrong passwords ---

    def may_try(self, address: str) -> None:
        """Let a log-in be tried from there now; ``count_try`` decides, this costs no write.

        Raises:
            TooMany: after five wrong ones in a row each further one waits twice as long, 5 minutes at most.
        """
        with self._store.read() as session:
            _judge(session.get(LoginFailure, source(address)))

    def count_try(self, address: str) -> int:
        """Count a try as a wrong one before its password is judged: many at once must not all be let through.

        Returns how many that are in a row; ``forgive`` forgets them.

        Raises:
            TooMany: as ``may_try``.
        """
        now = _now()
        with self._store.write() as session:
            _forget(session, now)
            if session.get(LoginFailure, source(address)) is None:
                session.execute(_FIRST_TRY, {"address": source(address), "at": round(now.timestamp() * 1000)})
            found = session.get_one(LoginFailure, source(address), with_for_update=True)
            _judge(found)
            found.failures, found.at = found.failures + 1, now
            return found.failures

    def forgive(self, address: str) -> None:
        """The password was right."""
        with self._store.write() as session:
            session.execute(sa.delete(LoginFailure).where(LoginFailure.address == source(address)))


def _judge(found: LoginFailure | None) -> None:
    if found is None or found.failures < _FREE_TRIES:
        return
    wait = min(2 ** (found.failures - _FREE_TRIES), _LONGEST_WAIT)
    left = wait - (_now() - found.at).total_seconds()
    if 0 < left <= wait:
        seconds = int(left) + 1
        raise TooMany(
            f"{found.failures} wrong passwords came from your address. Try again in {seconds} seconds.",
            seconds,
        )


def _forget(session: orm.Session, now: datetime) -> None:
    session.execute(sa.delete(LoginFailure).where(LoginFailure.at < now - _FORGIVEN))


def _expired(now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(LoginSession.seen_at < now - IDLE, LoginSession.created_at < now - LONGEST)
