"""What a filter of the delivery log asks of a candidate, as SQL that leads the database to no index."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import orm

from webhooks.db.models import Delivery, Webhook
from webhooks.db.raw import among
from webhooks.events.schema import thread_key
from webhooks.outbox.streams import RETRYING
from webhooks.services.delivery_filter import DeliveryFilter
from webhooks.services.name_search import named


def filtered(
    session: orm.Session, wanted: DeliveryFilter, conditions: Sequence[sa.ColumnElement[bool]], ids: list[int]
) -> list[int]:
    """Return those of the candidates that meet the whole filter, newest first. They are read by their ids."""
    if not ids:
        return []
    if conditions:
        query = sa.select(Delivery.id).where(among(session, Delivery.id, ids), *conditions)
        ids = [*session.scalars(query).all()]
    if wanted.name is not None:
        ids = named(session, wanted.name, ids)
    return sorted(ids, reverse=True)


def conditions_of(session: orm.Session, wanted: DeliveryFilter) -> list[sa.ColumnElement[bool]]:
    """Return what a candidate has to meet, as expressions that no index has.

    SQLite has no statistics: for a condition on the webhook itself it would take an index by webhook, and
    read all of that webhook's rows.
    """
    webhook, state, thread = Delivery.webhook_id + 0, Delivery.state + "", Delivery.thread_key + ""
    found: list[sa.ColumnElement[bool]] = []
    if wanted.webhook is not None:
        found.append(webhook == wanted.webhook)
    if wanted.location is not None:
        found.append(webhook.in_(webhooks_of(session, wanted.location)))
    if wanted.type is not None:
        found.append(Delivery.type == wanted.type)
    if wanted.status is not None:
        found.append(Delivery.subtype == wanted.status)
    if wanted.call:
        found.append(thread == thread_key(wanted.call))
    if wanted.states is not None:
        retrying = sa.and_(sa.literal(RETRYING in wanted.states), state == "pending", Delivery.tries > 0)
        found.append(sa.or_(state.in_(wanted.states), retrying))
    if wanted.since is not None:
        found.append(Delivery.created_at >= wanted.since)
    if wanted.until is not None:
        found.append(Delivery.created_at < wanted.until)
    return found


def webhooks_of(session: orm.Session, location: int | None) -> list[int]:
    """Return the ids of a location's webhooks, or of all."""
    query = sa.select(Webhook.id)
    return list(session.scalars(query if location is None else query.where(Webhook.location_id == location)))
