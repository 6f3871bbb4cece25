"""Erasing a call or a number for good: count first, then progress."""

from typing import Any

from flask import Blueprint, redirect, render_template, url_for

from webhooks.errors import Invalid, NotFound, SpokeError
from webhooks.services.container import services
from webhooks.services.erasures import Match
from webhooks.services.parsing import Input
from webhooks.web.shared.access import admin
from webhooks.web.ui.page import parse_form, parse_query, wants_fragment

blueprint = Blueprint("erasures", __name__)


class ErasureQuery(Input):
    """A call by its ``thread_id``, or a phone number."""

    call: str | None = None
    number: str | None = None


@blueprint.get("/erase")
@admin
def index() -> Any:
    return _page()


@blueprint.post("/erase")
@admin
def begin() -> Any:
    wanted = parse_form(ErasureQuery)
    try:
        erasure = services().erasures.begin(thread_id=wanted.call, number=wanted.number)
    except (Invalid, NotFound) as error:
        return _page(error), 404 if isinstance(error, NotFound) else 422
    return redirect(url_for("erasures.show", erasure_id=erasure.id), 303)


@blueprint.get("/erasures/<int:erasure_id>")
@admin
def show(erasure_id: int) -> Any:
    template = "erasures/_progress.html" if wants_fragment() else "erasures/show.html"
    return render_template(template, erasure=services().erasures.get(erasure_id))


@blueprint.post("/erasures/<int:erasure_id>/cancel")
@admin
def cancel(erasure_id: int) -> Any:
    services().erasures.move(erasure_id, "cancel")
    return redirect(url_for("erasures.show", erasure_id=erasure_id), 303)


def _page(error: SpokeError | None = None) -> str:
    wanted = parse_query(ErasureQuery)
    matches: list[Match] = []
    try:
        if wanted.call or wanted.number:
            matches = services().erasures.preview(thread_id=wanted.call, number=wanted.number)
    except Invalid as fault:
        error = error or fault
    return render_template(
        "erasures/index.html",
        call=wanted.call or "",
        number=wanted.number or "",
        matches=matches,
        knows_all=services().erasures.all_indexed,
        latest=services().erasures.latest(),
        error=error,
    )
