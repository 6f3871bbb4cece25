"""Throttle of log-ins: wrong passwords are counted by address, over all processes."""

import ipaddress
from datetime import UTC, datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy import orm

from webhooks.audit import by, record
from webhooks.catalogue import counted
from webhooks.db.models import LoginFailure
from webhooks.db.store import Store
from webhooks.errors import TooMany

_FREE_TRIES: Final = 5
_LONGEST_WAIT_SECONDS: Final = 300
_FORGIVEN: Final = timedelta(hours=1)
_FIRST_TRY: Final = sa.text(
    "INSERT INTO login_failure (address, failures, at) VALUES (:address, 0, :at) ON CONFLICT DO NOTHING"
)


def source(address: str | None) -> str:
    """Return what tries are counted for: an address, or of IPv6 the 64-bit network of a household."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        parsed = parsed.ipv4_mapped or parsed
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))
    return str(parsed)


class LoginThrottle:
    """Counts of wrong passwords by address. Raises Unavailable as the Store does."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def may_try(self, address: str) -> None:
        """Check whether a log-in may be tried from an address, without a write; ``count_try`` decides.

        Raises:
            TooMany: after five wrong ones in a row each further one waits twice as long, 5 minutes at most.
        """
        with self._store.read() as session:
            _check(session.get(LoginFailure, source(address)))

    def count_try(self, address: str) -> int:
        """Count a try as a wrong one before its password is checked, so that many at once do not all pass.

        Returns how many that are in a row; ``forgive`` forgets them.

        Raises:
            TooMany: as ``may_try``.
        """
        now = datetime.now(UTC)
        with self._store.write() as session:
            _forget(session, now)
            if session.get(LoginFailure, source(address)) is None:
                session.execute(_FIRST_TRY, {"address": source(address), "at": round(now.timestamp() * 1000)})
            row = session.get_one(LoginFailure, source(address), with_for_update=True)
            _check(row)
            _record(session, address, row.failures)
            row.failures, row.at = row.failures + 1, now
            return row.failures

    def forgive(self, address: str) -> None:
        """Forget the tries of an address: the password was right."""
        with self._store.write() as session:
            session.execute(sa.delete(LoginFailure).where(LoginFailure.address == source(address)))


def _check(row: LoginFailure | None) -> None:
    if row is None or row.failures < _FREE_TRIES:
        return
    wait = min(2 ** (row.failures - _FREE_TRIES), _LONGEST_WAIT_SECONDS)
    left = wait - (datetime.now(UTC) - row.at).total_seconds()
    if 0 < left <= wait:
        seconds = int(left) + 1
        pause = counted(seconds, "second")
        raise TooMany(
            f"{row.failures} wrong passwords came from your address. Try again in {pause}.", seconds
        )


def _record(session: orm.Session, address: str, wrong: int) -> None:
    """Tell the history of five wrong passwords in a row, then of ten, twenty and so on."""
    rounds, rest = divmod(wrong, _FREE_TRIES)
    if rounds and not rest and rounds.bit_count() == 1:
        with by(f"a visitor, from {address}"):
            record(session.connection(), "admin", f"{wrong} wrong passwords in a row at the log-in")


def _forget(session: orm.Session, now: datetime) -> None:
    session.execute(sa.delete(LoginFailure).where(LoginFailure.at < now - _FORGIVEN))
