"""The throttle of log-ins: wrong passwords are counted for each address, over all processes."""

import ipaddress
from datetime import UTC, datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy import orm

from webhooks.catalogue import counted
from webhooks.db.models import LoginFailure
from webhooks.db.store import Store
from webhooks.errors import TooMany

_FREE_TRIES: Final = 5
_LONGEST_WAIT: Final = 300  # seconds
_FORGIVEN: Final = timedelta(hours=1)
_FIRST_TRY: Final = sa.text(
    "INSERT INTO login_failure (address, failures, at) VALUES (:address, 0, :at) ON CONFLICT DO NOTHING"
)


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


class LoginThrottle:
    """Raises Busy as the Store does."""

    def __init__(self, store: Store) -> None:
        self._store = store

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
        now = datetime.now(UTC)
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
    left = wait - (datetime.now(UTC) - found.at).total_seconds()
    if 0 < left <= wait:
        seconds = int(left) + 1
        pause = counted(seconds, "second")
        raise TooMany(
            f"{found.failures} wrong passwords came from your address. Try again in {pause}.", seconds
        )


def _forget(session: orm.Session, now: datetime) -> None:
    session.execute(sa.delete(LoginFailure).where(LoginFailure.at < now - _FORGIVEN))
