"""Resending all that failed since a given time: count first, then progress, pause, cancel."""

from datetime import timedelta
from typing import Any, Final

from flask import Blueprint, redirect, render_template, request, url_for

from webhooks.errors import Invalid
from webhooks.outbox.replay import DEFAULT, RESENDABLE
from webhooks.services.container import services
from webhooks.services.replays import ReplayInput
from webhooks.services.stats import MOST
from webhooks.web.shared.access import admin
from webhooks.web.ui.filters import midnight
from webhooks.web.ui.page import parse_form, parse_query, wants_fragment

blueprint = Blueprint("replays", __name__)
_DAY: Final = timedelta(days=1)


@blueprint.get("/webhooks/<int:webhook_id>/replay")
@admin
def new(webhook_id: int) -> Any:
    """The form; with a span in the query, also the number of its deliveries."""
    given = {
        "since": request.args.get("since", ""),
        "until": request.args.get("until", ""),
        "states": request.args.getlist("state") or list(DEFAULT),
    }
    count, error = None, None
    if "since" in request.args:
        try:
            count = services().replays.count(webhook_id, parse_query(ReplayInput), MOST)
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
    replay = services().replays.begin(webhook_id, parse_form(ReplayInput))
    return redirect(url_for("replays.show", replay_id=replay.id), 303)


@blueprint.get("/replays/<int:replay_id>")
@admin
def show(replay_id: int) -> Any:
    replay = services().replays.get(replay_id)
    if wants_fragment():
        return render_template("replays/_progress.html", replay=replay)
    webhook = services().webhooks.get(replay.webhook_id, deleted=True)
    return render_template("replays/show.html", replay=replay, webhook=webhook)


@blueprint.post("/replays/<int:replay_id>/<any(pause, resume, cancel):move>")
@admin
def move(replay_id: int, move: str) -> Any:
    replay = services().replays.move(replay_id, move)
    if wants_fragment():
        return render_template("replays/_progress.html", replay=replay)
    return redirect(url_for("replays.show", replay_id=replay_id), 303)
