"""Manage Webhooks: a location's webhooks and their pages; add, edit, pause, rotate, test, delete."""

import json
from datetime import UTC, datetime
from typing import Any, Literal

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from pydantic import Field

from webhooks.catalogue import (
    CALL_STATUSES,
    CALL_TYPES,
    MEDIA_TYPES,
    counted,
    filter_label,
    sample_payload,
)
from webhooks.db.models import Delivery, Webhook
from webhooks.errors import Conflict, Invalid, SpokeError, Stale
from webhooks.outbound.options import Options
from webhooks.services.charts import bar_chart
from webhooks.services.container import services
from webhooks.services.delivery_filter import DeliveryFilter
from webhooks.services.parsing import Input, parse
from webhooks.services.webhook_input import WebhookInput
from webhooks.web.shared.access import admin
from webhooks.web.ui import receiver_code
from webhooks.web.ui.page import notice, paged, parse_form, reveal, revealed, wants_fragment
from webhooks.web.ui.webhook_form import OPTION_FIELDS, WebhookForm

blueprint = Blueprint("webhooks", __name__)
_LATEST = 10


class ResumeForm(Input):
    """What becomes of the deliveries that are held."""

    held: Literal["send", "drop"] = Field(title="Held deliveries")


@blueprint.get("/locations/<int:location_id>/webhooks")
@admin
def index(location_id: int) -> Any:
    location = services().locations.get(location_id)
    shown = paged(services().webhooks.all(location_id))
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


# --- add ---


@blueprint.get("/locations/<int:location_id>/webhooks/new/<any(call, media):kind>")
@admin
def new(location_id: int, kind: str) -> Any:
    return _form_page(location_id, kind, WebhookForm.typed(request.args))


@blueprint.post("/locations/<int:location_id>/webhooks/new/<any(call, media):kind>")
@admin
def new_submit(location_id: int, kind: str) -> Any:
    form = WebhookForm.typed(request.form)
    if _is_asked_for_again(form):
        return _form_page(location_id, kind, form)
    location = services().locations.get(location_id)
    try:
        webhook = services().webhooks.add(location.name, parse(WebhookInput, form.new(kind)))
    except Invalid as error:
        return _form_page(location_id, kind, form, error=error), 422
    reveal(f"The secret of webhook {webhook.id}", webhook.secret, f"webhook {webhook.id}")
    _notice_saved(f"Webhook {webhook.id} is added.", webhook.url)
    return redirect(url_for("webhooks.show", webhook_id=webhook.id), 303)


@blueprint.get("/sample")
@admin
def sample() -> Any:
    """The sample payload for the form as it is filled in so far."""
    return render_template(
        "webhooks/_sample.html", **_sample(request.args.get("kind", ""), WebhookForm.typed(request.args))
    )


# --- a webhook's page and its form ---


@blueprint.get("/webhooks/<int:webhook_id>")
@admin
def show(webhook_id: int) -> Any:
    """A webhook's page, also when it is deleted: rows of the log lead here."""
    webhook = services().webhooks.get(webhook_id, deleted=True)
    return render_template(
        "webhooks/show.html",
        webhook=webhook,
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
    webhook = services().webhooks.get(webhook_id)
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


@blueprint.get("/webhooks/<int:webhook_id>/edit")
@admin
def edit(webhook_id: int) -> Any:
    webhook = services().webhooks.get(webhook_id)
    return _form_page(webhook.location_id, webhook.kind, WebhookForm.of(webhook), webhook)


@blueprint.post("/webhooks/<int:webhook_id>/edit")
@admin
def edit_submit(webhook_id: int) -> Any:
    webhook = services().webhooks.get(webhook_id)
    form = WebhookForm.typed(request.form)
    if _is_asked_for_again(form):
        return _form_page(webhook.location_id, webhook.kind, form, webhook)
    try:
        services().webhooks.edit(webhook_id, form.changes(), version=form.version)
    except Stale as error:
        current = services().webhooks.get(webhook_id)
        form.version = current.version
        return _form_page(webhook.location_id, webhook.kind, form, current, error=error), 409
    except Invalid as error:
        return _form_page(webhook.location_id, webhook.kind, form, webhook, error=error), 422
    _notice_saved("Saved. The next delivery uses the new settings.", form.url)
    return redirect(url_for("webhooks.show", webhook_id=webhook_id), 303)


# --- now, pause, resume, rotate, delete, test ---


@blueprint.post("/webhooks/<int:webhook_id>/now")
@admin
def now(webhook_id: int) -> Any:
    waiting = services().webhooks.now(webhook_id)
    first = " One goes first, to see whether the receiver answers." if waiting > 1 else ""
    notice(f"Trying {counted(waiting, 'waiting delivery', 'waiting deliveries')} now.{first}")
    return redirect(url_for("webhooks.show", webhook_id=webhook_id), 303)


@blueprint.post("/webhooks/<int:webhook_id>/pause")
@admin
def pause(webhook_id: int) -> Any:
    held = services().webhooks.pause(webhook_id)
    holds = counted(held, "delivery is", "deliveries are")
    notice(f"Webhook {webhook_id} is paused. {holds} held, and further ones will be.")
    return redirect(url_for("webhooks.show", webhook_id=webhook_id), 303)


@blueprint.get("/webhooks/<int:webhook_id>/resume")
@admin
def resume(webhook_id: int) -> Any:
    webhook = services().webhooks.get(webhook_id)
    if webhook.state == "active":
        notice(f"Webhook {webhook_id} is active. There is nothing to resume.")
        return redirect(url_for("webhooks.show", webhook_id=webhook_id), 303)
    held = services().stats.count(webhook_id, "held")
    return render_template("webhooks/resume.html", webhook=webhook, held=held)


@blueprint.post("/webhooks/<int:webhook_id>/resume")
@admin
def resume_submit(webhook_id: int) -> Any:
    drop = parse_form(ResumeForm).held == "drop"
    moved = services().webhooks.resume(webhook_id, drop_held=drop)
    held = counted(moved, "held delivery", "held deliveries")
    notice(f"Webhook {webhook_id} resumed. {f'Dropped {held}' if drop else f'Sending {held}'}.")
    return redirect(url_for("webhooks.show", webhook_id=webhook_id), 303)


@blueprint.get("/webhooks/<int:webhook_id>/rotate")
@admin
def rotate(webhook_id: int) -> Any:
    """Ask whether there is to be a new secret, or say why there cannot be one."""
    return render_template("webhooks/rotate.html", webhook=services().webhooks.get(webhook_id))


@blueprint.post("/webhooks/<int:webhook_id>/rotate")
@admin
def rotate_submit(webhook_id: int) -> Any:
    try:
        webhook = services().webhooks.rotate_secret(webhook_id)
    except Conflict as error:
        webhook = services().webhooks.get(webhook_id)
        return render_template("webhooks/rotate.html", webhook=webhook, error=error), 409
    reveal(f"The new secret of webhook {webhook_id}", webhook.secret, f"webhook {webhook_id}")
    notice("Both secrets are valid for 24 hours. Update your receiver in that time.")
    return redirect(url_for("webhooks.show", webhook_id=webhook_id), 303)


@blueprint.post("/webhooks/<int:webhook_id>/end-secret")
@admin
def end_former_secret(webhook_id: int) -> Any:
    """Stop signing with the old secret before its day is over."""
    services().webhooks.end_former_secret(webhook_id)
    notice("The old secret no longer signs.")
    return redirect(url_for("webhooks.show", webhook_id=webhook_id), 303)


@blueprint.get("/webhooks/<int:webhook_id>/delete")
@admin
def delete(webhook_id: int) -> Any:
    webhook = services().webhooks.get(webhook_id)
    unsent = sum(services().stats.count(webhook_id, state) for state in ("pending", "held"))
    return render_template("webhooks/delete.html", webhook=webhook, unsent=unsent)


@blueprint.post("/webhooks/<int:webhook_id>/delete")
@admin
def delete_submit(webhook_id: int) -> Any:
    webhook = services().webhooks.get(webhook_id)
    dropped = services().webhooks.delete(webhook_id)
    unsent = counted(dropped, "unsent delivery was", "unsent deliveries were")
    notice(f"Webhook {webhook_id} is deleted. {unsent} dropped.")
    return redirect(url_for("webhooks.index", location_id=webhook.location_id), 303)


@blueprint.post("/webhooks/<int:webhook_id>/test")
@admin
def test(webhook_id: int) -> Any:
    """Send a test event to this webhook alone; to htmx its result, in place."""
    sent = services().events.send_test(webhook_id)
    delivery = services().deliveries.of_event(webhook_id, sent.id)
    if wants_fragment():
        return _tested(delivery)
    notice("The test event is queued.")
    return redirect(url_for("deliveries.show", delivery_id=delivery.id), 303)


@blueprint.get("/deliveries/<int:delivery_id>/tested")
@admin
def tested(delivery_id: int) -> Any:
    """The result of a test event; the fragment asks for itself again until there is one."""
    return _tested(services().deliveries.get(delivery_id))


def _tested(delivery: Delivery) -> Response:
    """The test's result; the parts of the page that change by it ask for themselves again."""
    facts = services().deliveries.facts_of(delivery.id)
    answer = make_response(render_template("webhooks/_tested.html", delivery=delivery, facts=facts))
    if facts.state != "pending":
        answer.headers["HX-Trigger"] = "tested"
    return answer


# --- shared ---


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


def _is_asked_for_again(form: WebhookForm) -> bool:
    """Whether a button asks for the form itself: with its sample, or with the URL of a new test inbox."""
    if "inbox" in request.form:
        form.url = services().inboxes.address(services().inboxes.add())
        return True
    return "preview" in request.form


def _notice_saved(sentence: str, url: str) -> None:
    warning = services().webhooks.dns_warning(url)
    notice(f"{sentence} {warning}" if warning else sentence, warns=bool(warning))


def _form_page(
    location_id: int,
    kind: str,
    form: WebhookForm,
    webhook: Webhook | None = None,
    error: SpokeError | None = None,
) -> Any:
    return render_template(
        "webhooks/form.html",
        location=services().locations.get(location_id),
        form=form,
        webhook=webhook,
        error=error,
        option_fields=OPTION_FIELDS,
        stale=isinstance(error, Stale),
        types=CALL_TYPES if kind == "call" else MEDIA_TYPES,
        statuses=CALL_STATUSES,
        **_sample(kind, form),
    )


def _sample(kind: str, form: WebhookForm) -> dict[str, Any]:
    """The example payload for the chosen types and statuses, as a receiver would get it."""
    kind = kind if kind in ("call", "media") else "call"
    types = [word for word in (CALL_TYPES if kind == "call" else MEDIA_TYPES) if word in form.types]
    statuses = [word for word in CALL_STATUSES if word in form.statuses and kind == "call"]
    payload = sample_payload(kind, types, statuses, services().settings.base_url)
    return {
        "kind": kind,
        "sample": json.dumps(payload, ensure_ascii=False, indent=2),
        "chosen": filter_label(kind, types, statuses),
        "stands_for": filter_label(kind, [payload["type"]], [*filter(None, [payload.get("subtype")])]),
        "own_headers": form.header_names(),
    }
