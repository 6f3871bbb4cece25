"""Sending again all that failed since a moment: preview, progress, pause, cancel."""

from datetime import timedelta
from typing import Any, Final

from flask import Blueprint, redirect, render_template, request, url_for

from webhooks.errors import Invalid
from webhooks.outbox.replay import RESENDABLE
from webhooks.services.container import services
from webhooks.web.shared.access import admin
from webhooks.web.ui.filters import midnight, parse_local
from webhooks.web.ui.page import wants_fragment

blueprint = Blueprint("replays", __name__)
_DAY: Final = timedelta(days=1)


@blueprint.get("/webhooks/<int:webhook_id>/replay")
@admin
def new(webhook_id: int) -> Any:
    """The form; with a span in the address, also how many deliveries it would be."""
    given = {
        "since": request.args.get("since", ""),
        "until": request.args.get("until", ""),
        "states": request.args.getlist("state") or ["failed"],
    }
    count, error = None, None
    if "since" in request.args:
        try:
            count = services().replays.count(webhook_id, *_span(given))
        except Invalid as fault:
            error = fault
    else:
        given["since"] = (midnight() - _DAY).strftime("%Y-%m-%dT%H:%M")
    page = render_template(
        "replays/new.html",
        webhook=services().webhooks.get(webhook_id),
        given=given,
        count=count,
        error=error,
        states=RESENDABLE,
    )
    return page, 422 if error else 200


@blueprint.post("/webhooks/<int:webhook_id>/replay")
@admin
def begin(webhook_id: int) -> Any:
    given = {
        "since": request.form.get("since", ""),
        "until": request.form.get("until", ""),
        "states": request.form.getlist("state"),
    }
    replay = services().replays.begin(webhook_id, *_span(given))
    return redirect(url_for("replays.one", replay_id=replay.id), 303)


@blueprint.get("/replays/<int:replay_id>")
@admin
def one(replay_id: int) -> Any:
    template = "replays/_progress.html" if wants_fragment() else "replays/one.html"
    replay = services().replays.get(replay_id)
    return render_template(template, replay=replay)


@blueprint.post("/replays/<int:replay_id>/<any(pause, resume, cancel):move>")
@admin
def move(replay_id: int, move: str) -> Any:
    replay = services().replays.move(replay_id, move)
    if wants_fragment():
        return render_template("replays/_progress.html", replay=replay)
    return redirect(url_for("replays.one", replay_id=replay_id), 303)


def _span(given: dict[str, Any]) -> tuple[Any, Any, list[str]]:
    try:
        since, until = parse_local(given["since"]), parse_local(given["until"])
    except (ValueError, OverflowError):
        raise Invalid("The span needs times such as 2026-11-24 08:00.", "since") from None
    if since is None:
        raise Invalid("Give the time from which on to send again.", "since")
    return since, until, given["states"]
