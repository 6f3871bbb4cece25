"""Erasing a call or a number for good: what it would be first, then progress."""

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for

from webhooks.errors import Invalid, NotFound, SpokeError
from webhooks.services.container import services
from webhooks.services.erasures import Match
from webhooks.web.shared.access import admin
from webhooks.web.ui.page import wants_fragment

blueprint = Blueprint("erasures", __name__)


@blueprint.get("/erase")
@admin
def show() -> Any:
    return _page()


@blueprint.post("/erase")
@admin
def begin() -> Any:
    call, number = request.form.get("call"), request.form.get("number")
    try:
        made = services().erasures.begin(thread_id=call, number=number)
    except (Invalid, NotFound) as error:
        return _page(error), 404 if isinstance(error, NotFound) else 422
    return redirect(url_for("erasures.one", erasure_id=made.id), 303)


@blueprint.get("/erasures/<int:erasure_id>")
@admin
def one(erasure_id: int) -> Any:
    template = "erasures/_progress.html" if wants_fragment() else "erasures/one.html"
    return render_template(template, erasure=services().erasures.get(erasure_id))


@blueprint.post("/erasures/<int:erasure_id>/cancel")
@admin
def cancel(erasure_id: int) -> Any:
    services().erasures.move(erasure_id, "cancel")
    return redirect(url_for("erasures.one", erasure_id=erasure_id), 303)


def _page(error: SpokeError | None = None) -> str:
    call, number = request.args.get("call", "").strip(), request.args.get("number", "").strip()
    found: list[Match] = []
    try:
        if call or number:
            found = services().erasures.preview(thread_id=call or None, number=number or None)
    except Invalid as wrong:
        error = error or wrong
    return render_template(
        "erasures/show.html",
        call=call,
        number=number,
        found=found,
        knows_all=services().erasures.all_indexed,
        latest=services().erasures.latest(),
        error=error,
    )
