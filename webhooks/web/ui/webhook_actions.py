"""What the buttons of a webhook's page do: try now, pause, resume, rotate, delete, test."""

from typing import Any, Literal

from flask import Response, make_response, redirect, render_template, url_for
from pydantic import Field

from webhooks.catalogue import counted
from webhooks.errors import Conflict
from webhooks.services.container import services
from webhooks.services.parsing import Input
from webhooks.web.shared.access import admin
from webhooks.web.ui.cards import PAGES
from webhooks.web.ui.following import Followed, TriedQuery, follow
from webhooks.web.ui.page import notice, parse_form, parse_query, reveal, wants_fragment
from webhooks.web.ui.webhooks import blueprint


class ResumeForm(Input):
    """What becomes of the deliveries that are held."""

    held: Literal["send", "drop"] = Field(title="Held deliveries")


@blueprint.post("/webhooks/<int:webhook_id>/now")
@admin
def now(webhook_id: int) -> Any:
    """Try all that waits. The page then follows the delivery that goes first."""
    waiting, first = services().webhooks.now(webhook_id)
    one_first = " One goes first, to see whether the receiver answers." if waiting > 1 else ""
    notice(f"Trying {counted(waiting, 'waiting delivery', 'waiting deliveries')} now.{one_first}")
    tried: dict[str, Any] = {"tried": first.id, "attempts": first.attempts} if first else {}
    return redirect(url_for("webhooks.show", webhook_id=webhook_id, **tried), 303)


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
    webhook = services().webhooks.own(webhook_id)
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
    return render_template(
        "webhooks/rotate.html", webhook=services().webhooks.own(webhook_id, to_change=True)
    )


@blueprint.post("/webhooks/<int:webhook_id>/rotate")
@admin
def rotate_submit(webhook_id: int) -> Any:
    try:
        webhook = services().webhooks.rotate_secret(webhook_id)
    except Conflict as error:
        webhook = services().webhooks.own(webhook_id, to_change=True)
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
    webhook = services().webhooks.own(webhook_id)
    unsent = sum(services().stats.count(webhook_id, state) for state in ("pending", "held"))
    return render_template("webhooks/delete.html", webhook=webhook, unsent=unsent)


@blueprint.post("/webhooks/<int:webhook_id>/delete")
@admin
def delete_submit(webhook_id: int) -> Any:
    webhook = services().webhooks.own(webhook_id)
    dropped = services().webhooks.delete(webhook_id)
    unsent = counted(dropped, "unsent delivery was", "unsent deliveries were")
    notice(f"Webhook {webhook_id} is deleted. {unsent} dropped.")
    return redirect(url_for(PAGES[webhook.integration].manage, location_id=webhook.location_id), 303)


@blueprint.post("/webhooks/<int:webhook_id>/test")
@admin
def test(webhook_id: int) -> Any:
    """Send a test event to this webhook alone; to htmx its result, in place."""
    sent = services().events.send_test(webhook_id)
    delivery = services().deliveries.of_event(webhook_id, sent.id)
    if wants_fragment():
        return _outcome(follow(delivery.id, 0))
    notice("The test event is queued.")
    return redirect(url_for("deliveries.show", delivery_id=delivery.id, tried=0), 303)


@blueprint.get("/deliveries/<int:delivery_id>/tried")
@admin
def tried(delivery_id: int) -> Any:
    """What came of a test event or of "try now"; the fragment asks for itself again until that is known."""
    return _outcome(follow(delivery_id, parse_query(TriedQuery).attempts))


def _outcome(followed: Followed) -> Response:
    """The outcome; the parts of the page that change by it ask for themselves again."""
    answer = make_response(render_template("webhooks/_tried.html", followed=followed))
    if not followed.is_open:
        answer.headers["HX-Trigger"] = "tried"
    return answer
