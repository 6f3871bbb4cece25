"""What Zapier is told of webhooks that ended here, until it knows or a day has passed: a small outbox."""

import logging

import sqlalchemy as sa

from webhooks.audit import record
from webhooks.db.models import Unsubscription
from webhooks.db.store import Store
from webhooks.outbound.unsubscribe import Unsubscriber
from webhooks.services.lookup import now
from webhooks.services.small_outbox import GIVEN_UP_AFTER, claim_due, delay
from webhooks.settings import Settings

log = logging.getLogger(__name__)


class Unsubscriptions:
    """Tells of them. Raises ReadFailed and Unavailable as the Store does."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._store, self._unsubscriber = store, Unsubscriber(settings)

    def send_due(self) -> int:
        """Tell what is due, one after the other. Returns how many attempts were made."""
        made = 0
        for row in claim_due(self._store, Unsubscription):
            self._settle(row, self._unsubscriber.send(row.url))
            made += 1
        return made

    def _settle(self, row: Unsubscription, error: str | None) -> None:
        moment, own = now(), Unsubscription.id == row.id
        if error is not None:
            log.warning(
                "Zap not told that its webhook ended", extra={"webhook": row.webhook_id, "reason": error}
            )
        with self._store.write(wait=None) as session:
            if error is not None and moment - row.created_at < GIVEN_UP_AFTER:
                again = sa.update(Unsubscription).where(own).values(due_at=moment + delay(row.tries))
                session.execute(again)
                return
            session.execute(sa.delete(Unsubscription).where(own))
            told = "Zapier was told" if error is None else f"Zapier could not be told in a day: {error}"
            record(session.connection(), f"webhook {row.webhook_id}", told)
