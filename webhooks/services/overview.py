"""All webhooks and locations together: what needs somebody, for the main page, and what they are called."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy import orm

from webhooks.db.models import Delivery, Lane, Location, Traffic, Webhook
from webhooks.db.store import Store
from webhooks.services import standing
from webhooks.services.webhook_state import WebhookFacts

_SHOWN: Final = 20  # of the webhooks that need somebody


class Trouble(NamedTuple):
    """A webhook that needs somebody, and how it stands."""

    webhook: Webhook
    facts: WebhookFacts


class Troubles(NamedTuple):
    """The first of those webhooks, the failing ones first; ``total`` is how many there are."""

    shown: Sequence[Trouble]
    total: int


class Overview:
    """Facts about all webhooks together. Raises ReadFailed as the Store does."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def troubles(self) -> Troubles:
        """Read which webhooks need somebody. A paused one does not: somebody paused it."""
        with self._store.read() as session:
            ids = session.scalars(_TROUBLED).all()
            query = sa.select(Webhook).where(Webhook.id.in_(ids[:_SHOWN]))
            webhooks = {
                one.id: one for one in session.scalars(query.options(orm.joinedload(Webhook.location)))
            }
            facts = standing.of_webhooks(session, ids[:_SHOWN])
        shown = [
            Trouble(webhooks[id_], facts[id_]) for id_ in ids[:_SHOWN] if id_ in webhooks and id_ in facts
        ]
        return Troubles(shown, len(ids))

    def named_webhooks(self, count: int) -> Sequence[Webhook]:
        """Read what names the oldest ``count`` webhooks and their locations, and no more of them."""
        with self._store.read() as session:
            return session.scalars(_NAMED.limit(count)).all()

    def named_locations(self, count: int) -> dict[int, str]:
        """Read the names of the first ``count`` locations, in the order of their names."""
        named = sa.select(Location.id, Location.name).where(Location.deleted_at.is_(None))
        with self._store.read() as session:
            rows = session.execute(named.order_by(Location.name).limit(count))
            return {id_: name for id_, name in rows}

    def untried(self) -> dict[tuple[int, str], int]:
        """Count the active webhooks of each location and integration that were never tried."""
        with self._store.read() as session:
            return {(location_id, name): count for location_id, name, count in session.execute(_UNTRIED)}


_NAMED = (
    sa.select(Webhook)
    .where(Webhook.deleted_at.is_(None))
    .order_by(Webhook.id)
    .options(
        orm.load_only(Webhook.description, Webhook.kind, Webhook.types, Webhook.statuses),
        orm.joinedload(Webhook.location).load_only(Location.name),
    )
)
_FAILS = sa.or_(
    sa.and_(Webhook.state == "active", Lane.failing_since.is_not(None)), Webhook.state == "disabled"
)
_LOST = sa.exists().where(Delivery.webhook_id == Webhook.id, Delivery.state == "failed")
_TROUBLED = (
    sa.select(Webhook.id)
    .join(Lane, Lane.webhook_id == Webhook.id)
    .where(Webhook.deleted_at.is_(None), sa.or_(_FAILS, _LOST))
    .order_by(sa.case((_FAILS, 0), else_=1), Webhook.id)
)
_UNTRIED = (
    sa.select(Webhook.location_id, Webhook.integration, sa.func.count())
    .join(Lane, Lane.webhook_id == Webhook.id)
    .where(
        Webhook.deleted_at.is_(None),
        Webhook.state == "active",
        Lane.failing_since.is_(None),
        ~sa.exists().where(Traffic.webhook_id == Webhook.id),
    )
    .group_by(Webhook.location_id, Webhook.integration)
)
