"""Reads the facts that alerts are made from."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy import orm

from webhooks.db.models import (
    AlertSettings,
    Certificate,
    Delivery,
    ExpectedSilence,
    Heard,
    Lane,
    Location,
    Notice,
    RefusalCount,
    Webhook,
)
from webhooks.db.models.refusals import NO_LOCATION
from webhooks.db.models.totals import SLOT_MS
from webhooks.services.channels import in_use
from webhooks.services.integrations import ZOHO
from webhooks.services.matters import REFUSED_WITHIN, Facts, LocationFacts, WebhookFacts
from webhooks.services.notices import NOT_SET
from webhooks.settings import Settings

_AT_ZOHO: Final = "Its page says what to do: connect it again there, or resume it."


def read_facts(session: orm.Session, settings: Settings, now: datetime) -> Facts:
    """Read all facts, by a few statements on indexes."""
    refused = _refused(session, now)
    return Facts(
        now,
        list(_webhooks(session)),
        list(_locations(session, refused)),
        shutil.disk_usage(settings.data).free,
        refused.get(NO_LOCATION),
        dict(_unsent(session)),
    )


def label(webhook: Webhook) -> str:
    """Tell people which webhook it is, or which connection."""
    if webhook.integration == ZOHO.name:
        return f"{ZOHO.title} of {webhook.location.name}"
    name = f"Webhook {webhook.id} ({webhook.description})" if webhook.description else f"Webhook {webhook.id}"
    return f"{name} of {webhook.location.name}"


def _webhooks(session: orm.Session) -> Iterator[WebhookFacts]:
    oldest = (
        sa.select(Delivery.due_at)
        .where(Delivery.webhook_id == Webhook.id, Delivery.state == "pending")
        .order_by(Delivery.due_at)
        .limit(1)
        .scalar_subquery()
    )
    ends_at = sa.case((Certificate.url == Webhook.url, Certificate.ends_at))
    query = (
        sa.select(Webhook, oldest, ends_at)
        .join(Lane, Lane.webhook_id == Webhook.id)
        .outerjoin(Certificate, Certificate.webhook_id == Webhook.id)
        .where(Webhook.deleted_at.is_(None))
        .options(orm.joinedload(Webhook.location), orm.joinedload(Webhook.lane))
    )
    for webhook, due_at, certificate_ends_at in session.execute(query):
        lane = webhook.lane
        held_until_ms = max(lane.not_before, lane.probe_at)
        yield WebhookFacts(
            webhook.id,
            label(webhook),
            webhook.state,
            webhook.reason,
            lane.failing_since,
            lane.failures,
            due_at,
            datetime.fromtimestamp(held_until_ms / 1000, UTC) if held_until_ms else None,
            certificate_ends_at,
            **({"remedy": _AT_ZOHO} if webhook.integration == ZOHO.name else {}),
        )


def _locations(session: orm.Session, refused: dict[int, datetime]) -> Iterator[LocationFacts]:
    last = (
        sa.select(Heard.last_at)
        .where(Heard.location_id == ExpectedSilence.location_id)
        .order_by(Heard.slot.desc())
        .limit(1)
        .scalar_subquery()
    )
    query = (
        sa.select(Location, ExpectedSilence, last)
        .outerjoin(ExpectedSilence, ExpectedSilence.location_id == Location.id)
        .where(Location.deleted_at.is_(None))
    )
    for location, silence, last_at in session.execute(query):
        since = [moment for moment in (last_at, silence.since_at if silence else None) if moment is not None]
        yield LocationFacts(
            location.id,
            location.name,
            location.state,
            silence.hours if silence else None,
            max(since, default=None),
            refused.get(location.id),
        )


def _unsent(session: orm.Session) -> Iterator[tuple[str, str]]:
    """The channels whose newest outcome is a failure, and why.

    A first failure may be an accident, and of a test that fails whoever made it has read.
    """
    settings = session.get(AlertSettings, 1)
    fails = sa.and_(Notice.is_test.is_(False), Notice.tries > 1, Notice.error != NOT_SET)
    for channel in in_use(settings) if settings else ():
        query = sa.select(Notice.state, Notice.error).where(
            Notice.channel == channel, sa.or_(Notice.state == "delivered", fails)
        )
        row = session.execute(query.order_by(Notice.id.desc()).limit(1)).first()
        if row is not None and row.state != "delivered":
            yield channel, row.error


def _refused(session: orm.Session, now: datetime) -> dict[int, datetime]:
    """When each location was last refused something lately; of those without one what brought a token."""
    since_slot = int((now - REFUSED_WITHIN).timestamp() * 1000) // SLOT_MS
    query = (
        sa.select(RefusalCount.location_id, sa.func.max(RefusalCount.last_at))
        .where(RefusalCount.slot >= since_slot)
        .where(sa.or_(RefusalCount.location_id != NO_LOCATION, RefusalCount.with_token > 0))
        .group_by(RefusalCount.location_id)
    )
    return {location_id: last_at for location_id, last_at in session.execute(query)}
