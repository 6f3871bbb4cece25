"""What Zapier is told of webhooks that ended here, until it knows or a day has passed: a small outbox."""

import logging
from datetime import timedelta
from typing import Final

import sqlalchemy as sa

from webhooks.audit import record
from webhooks.db.models import Unsubscription
from webhooks.db.store import Store
from webhooks.outbound.unsubscribe import Unsubscriber
from webhooks.services.lookup import now
from webhooks.settings import Settings

GIVEN_UP_AFTER: Final = timedelta(hours=24)
_LEASE: Final = timedelta(seconds=60)
_DELAYS_S: Final = (10, 60, 300, 900, 1800)  # the last one again and again
_AT_A_TIME: Final = 10

log = logging.getLogger(__name__)


class Unsubscriptions:
    """Tells of them. Raises ReadFailed and Unavailable as the Store does."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._store, self._unsubscriber = store, Unsubscriber(settings)

    def send_due(self) -> int:
        """Tell what is due, one after the other. Returns how many attempts were made."""
        due = (
            sa.select(Unsubscription)
            .where(Unsubscription.due_at <= now())
            .order_by(Unsubscription.due_at)
            .limit(_AT_A_TIME)
        )
        with self._store.read() as session:
            rows = session.scalars(due).all()
        made = 0
        for row in rows:
            if self._claimed(row):
                self._settle(row, self._unsubscriber.send(row.url))
                made += 1
        return made

    def _claimed(self, row: Unsubscription) -> bool:
        """Take a row for this process, until its lease ends."""
        claim = (
            sa.update(Unsubscription)
            .where(Unsubscription.id == row.id, Unsubscription.tries == row.tries)
            .values(tries=row.tries + 1, due_at=now() + _LEASE)
        )
        with self._store.write() as session:
            return bool(getattr(session.execute(claim), "rowcount", 0))

    def _settle(self, row: Unsubscription, error: str | None) -> None:
        moment, own = now(), Unsubscription.id == row.id
        if error is not None:
            log.warning(
                "Zap not told that its webhook ended", extra={"webhook": row.webhook_id, "reason": error}
            )
        with self._store.write(wait=None) as session:
            if error is not None and moment - row.created_at < GIVEN_UP_AFTER:
                due_at = moment + timedelta(seconds=_DELAYS_S[min(row.tries, len(_DELAYS_S) - 1)])
                session.execute(sa.update(Unsubscription).where(own).values(due_at=due_at))
                return
            session.execute(sa.delete(Unsubscription).where(own))
            told = "Zapier was told" if error is None else f"Zapier could not be told in a day: {error}"
            record(session.connection(), f"webhook {row.webhook_id}", told)
