"""API keys: listed, added, revoked."""

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for

from webhooks.errors import SpokeError
from webhooks.services.api_keys import KeyInput
from webhooks.services.container import services
from webhooks.web.shared.access import admin
from webhooks.web.ui.page import notice, paged, parse_form, reveal, revealed

blueprint = Blueprint("api_keys", __name__)
_ABOUT = "API keys"


@blueprint.get("/keys")
@admin
def index() -> Any:
    return _page()


@blueprint.post("/keys")
@admin
def add() -> Any:
    try:
        row, key = services().api_keys.add(parse_form(KeyInput))
    except SpokeError as error:
        return _page(error), 422
    reveal(f"The API key {row.name}", key, _ABOUT)
    return redirect(url_for("api_keys.index"), 303)


@blueprint.get("/keys/<int:key_id>/revoke")
@admin
def revoke(key_id: int) -> Any:
    """Ask whether the key is to be refused from now on."""
    return render_template("api_keys/revoke.html", key=services().api_keys.get(key_id))


@blueprint.post("/keys/<int:key_id>/revoke")
@admin
def revoke_submit(key_id: int) -> Any:
    name = services().api_keys.get(key_id).name
    services().api_keys.revoke(name)
    notice(f"The API key {name} is revoked. Requests with it are refused.")
    return redirect(url_for("api_keys.index"), 303)


def _page(error: SpokeError | None = None) -> str:
    return render_template(
        "api_keys/index.html",
        keys=paged(services().api_keys.all()),
        revealed=revealed(_ABOUT),
        name=request.form.get("name", ""),
        read_only="read_only" in request.form,
        error=error,
    )
