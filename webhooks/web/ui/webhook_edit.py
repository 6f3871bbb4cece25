"""The form of a webhook: to add one, and to change it."""

import json
from typing import Any

from flask import redirect, render_template, request, url_for

from webhooks.catalogue import CALL_STATUSES, CALL_TYPES, MEDIA_TYPES, filter_label, sample_payload
from webhooks.db.models import Webhook
from webhooks.errors import Invalid, SpokeError, Stale
from webhooks.services.container import services
from webhooks.services.parsing import parse
from webhooks.services.webhook_input import WebhookInput
from webhooks.web.shared.access import admin
from webhooks.web.ui.page import notice, reveal
from webhooks.web.ui.webhook_form import OPTION_FIELDS, WebhookForm
from webhooks.web.ui.webhooks import blueprint


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


@blueprint.get("/webhooks/<int:webhook_id>/edit")
@admin
def edit(webhook_id: int) -> Any:
    webhook = services().webhooks.own(webhook_id, to_change=True)
    return _form_page(webhook.location_id, webhook.kind, WebhookForm.of(webhook), webhook)


@blueprint.post("/webhooks/<int:webhook_id>/edit")
@admin
def edit_submit(webhook_id: int) -> Any:
    webhook = services().webhooks.own(webhook_id, to_change=True)
    form = WebhookForm.typed(request.form)
    if _is_asked_for_again(form):
        return _form_page(webhook.location_id, webhook.kind, form, webhook)
    try:
        services().webhooks.edit(webhook_id, form.changes(), version=form.version)
    except Stale as error:
        current = services().webhooks.own(webhook_id)
        form.version = current.version
        return _form_page(webhook.location_id, webhook.kind, form, current, error=error), 409
    except Invalid as error:
        return _form_page(webhook.location_id, webhook.kind, form, webhook, error=error), 422
    _notice_saved("Saved. The next delivery uses the new settings.", form.url)
    return redirect(url_for("webhooks.show", webhook_id=webhook_id), 303)


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
