"""The certificates of receivers, looked at once a day."""

from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from webhooks.db.models import Certificate, Webhook
from webhooks.db.store import Store
from webhooks.errors import Invalid
from webhooks.outbound import certificates
from webhooks.outbound.address_rules import AddressRules
from webhooks.outbound.deadline import Deadline, watched
from webhooks.outbound.forward_proxy import Proxy
from webhooks.outbound.pinned_adapter import Connector
from webhooks.services.lookup import now
from webhooks.settings import Settings

_EVERY: Final = timedelta(hours=24)
_AGAIN: Final = timedelta(hours=1)  # where none could be read
_SETTLED: Final = timedelta(minutes=10)  # a webhook's age: who sets it up may still be at its receiver
_AT_A_TIME: Final = 20
_WAIT_S: Final = 10.0


class Certificates:
    """Looks at them. Raises ReadFailed and Unavailable as the Store does."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._store = store
        rules = AddressRules(settings.allow_nets, settings.deny_nets)
        self._connector = Connector(rules, Proxy.of(settings.proxy))

    def check_due(self, moment: datetime | None = None) -> int:
        """Look at the certificates whose turn it is. Returns how many."""
        moment = moment or now()
        due = self._due(moment)
        for webhook_id, url in due:
            ends_at = self._read(url)
            with self._store.write(wait=None) as session:
                session.merge(Certificate(webhook_id=webhook_id, url=url, ends_at=ends_at, checked_at=moment))
        return len(due)

    def _due(self, moment: datetime) -> list[tuple[int, str]]:
        query = (
            sa.select(Webhook.id, Webhook.url)
            .outerjoin(Certificate, Certificate.webhook_id == Webhook.id)
            .where(
                Webhook.deleted_at.is_(None),
                Webhook.state == "active",
                Webhook.url.startswith("https://"),
                Webhook.created_at < moment - _SETTLED,
                sa.or_(
                    Certificate.webhook_id.is_(None),
                    Certificate.url != Webhook.url,
                    Certificate.checked_at < moment - _EVERY,
                    sa.and_(Certificate.ends_at.is_(None), Certificate.checked_at < moment - _AGAIN),
                ),
            )
            .order_by(Webhook.id)
            .limit(_AT_A_TIME)
        )
        with self._store.read() as session:
            return [(webhook_id, url) for webhook_id, url in session.execute(query)]

    def _read(self, url: str) -> datetime | None:
        deadline = Deadline(_WAIT_S)
        try:
            with watched(deadline):
                return certificates.ends_at(url, self._connector, deadline)
        except Invalid:  # a URL of an earlier version
            return None
