"""Manage Webhooks: a location's webhooks, and a webhook's page."""

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, redirect, render_template, url_for

from webhooks.outbound.options import Options
from webhooks.services.charts import bar_chart
from webhooks.services.container import services
from webhooks.services.delivery_filter import DeliveryFilter
from webhooks.services.integrations import WEBHOOKS, ZOHO
from webhooks.web.shared.access import admin
from webhooks.web.ui import receiver_code
from webhooks.web.ui.following import TriedQuery, follow
from webhooks.web.ui.page import paged, parse_query, revealed

blueprint = Blueprint("webhooks", __name__)
_LATEST = 10


@blueprint.get("/locations/<int:location_id>/webhooks")
@admin
def index(location_id: int) -> Any:
    location = services().locations.get(location_id)
    shown = paged(services().webhooks.all(location_id, WEBHOOKS))
    ids = [webhook.id for webhook in shown.items]
    lists = [
        (kind, title, [webhook for webhook in shown.items if webhook.kind == kind])
        for kind, title in (("call", "Call Webhooks"), ("media", "Media Webhooks"))
    ]
    return render_template(
        "webhooks/index.html",
        location=location,
        lists=lists,
        hours=services().stats.of_webhooks(ids),
        facts=services().webhooks.facts(ids),
        shown=shown,
    )


@blueprint.get("/webhooks/<int:webhook_id>")
@admin
def show(webhook_id: int) -> Any:
    """A webhook's page, also when it is deleted: rows of the log lead here."""
    webhook, query = services().webhooks.get(webhook_id, deleted=True), parse_query(TriedQuery)
    if webhook.integration == ZOHO.name and webhook.deleted_at is None:
        return redirect(url_for("zoho.show", location_id=webhook.location_id), 303)
    return render_template(
        "webhooks/show.html",
        webhook=webhook,
        followed=follow(query.tried, query.attempts) if query.tried else None,
        options=Options.model_validate(webhook.options),
        **_standing(webhook_id),
        page=services().delivery_log.page(DeliveryFilter(webhook=webhook_id), count=_LATEST),
        replays=services().replays.of_webhook(webhook_id, 5),
        changes=services().audit_log.latest(5, subject=f"webhook {webhook_id}"),
        revealed=revealed(f"webhook {webhook_id}"),
        inbox=services().inboxes.of_url(webhook.url),
    )


@blueprint.get("/webhooks/<int:webhook_id>/receiver")
@admin
def receiver(webhook_id: int) -> Any:
    """How its receiver verifies a message, with code; where it sends to a test inbox, for one to come."""
    webhook = services().webhooks.own(webhook_id, to_change=True)
    listens = services().inboxes.of_url(webhook.url) is None
    code = receiver_code.of_webhook(webhook, listens=listens)
    return render_template("webhooks/receiver.html", webhook=webhook, receiver=code)


@blueprint.get("/webhooks/<int:webhook_id>/state")
@admin
def state(webhook_id: int) -> Any:
    """How a webhook stands, with its figures: what changes on its page by itself."""
    webhook, now = services().webhooks.get(webhook_id, deleted=True), _standing(webhook_id)
    return render_template("webhooks/_state.html", webhook=webhook, **now) + render_template(
        "webhooks/_figures.html", swapped=True, **now
    )


def _standing(webhook_id: int) -> dict[str, Any]:
    """How a webhook stands, and its figures."""
    stats = services().stats
    facts = services().webhooks.facts([webhook_id])[webhook_id]
    return {
        "facts": facts,
        "can_be_hurried": facts.can_be_hurried(datetime.now(UTC)),
        "chart": bar_chart(stats.of_webhooks([webhook_id])[webhook_id]),
        "held": stats.count(webhook_id, "held"),
        "pending": stats.count(webhook_id, "pending"),
    }
