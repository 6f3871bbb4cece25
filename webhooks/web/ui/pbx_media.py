"""Recordings and voicemails of an Asterisk: the lines that make it send them."""

from typing import Any, Final

from flask import Blueprint, redirect, render_template, request, url_for

from webhooks.errors import Invalid
from webhooks.services.container import services
from webhooks.web.shared.access import admin
from webhooks.web.ui import location_token

blueprint = Blueprint("pbx_media", __name__, url_prefix="/locations/<int:location_id>/asterisk/media")

_SCRIPT: Final = "/usr/local/bin/spoke-media.sh"  # at the phone system


@blueprint.get("")
@admin
def show(location_id: int) -> Any:
    return _page(location_id)


@blueprint.post("/token")
@admin
def fill_in(location_id: int) -> Any:
    try:
        location_token.fill_in(services().locations.get(location_id), request.form.get("token", ""))
    except Invalid as error:
        return _page(location_id, error), 422
    return redirect(_address(location_id), 303)


@blueprint.get("/rotate")
@admin
def rotate(location_id: int) -> Any:
    return location_token.rotation_page(services().locations.get(location_id), _address(location_id))


@blueprint.post("/rotate")
@admin
def rotate_submit(location_id: int) -> Any:
    return location_token.rotated(services().locations.get(location_id), _address(location_id))


def _address(location_id: int) -> str:
    return url_for("pbx_media.show", location_id=location_id)


def _page(location_id: int, error: Invalid | None = None) -> str:
    location = services().locations.get(location_id)
    return render_template(
        "pbx/media.html",
        location=location,
        connected=services().pbx.of(location_id) is not None,
        script=_SCRIPT,
        error=error,
        **location_token.in_lines(location),
    )
