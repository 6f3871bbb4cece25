"""Phone systems that post to a door of their own: a page each, with what to enter where; and the causes."""

from typing import Any, Final
from xml.sax.saxutils import escape

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for

from webhooks.db.models import Location
from webhooks.errors import Invalid, SpokeError
from webhooks.pbx import causes
from webhooks.pbx.systems import SYSTEMS
from webhooks.services.container import services
from webhooks.services.phone_systems import SecretInput
from webhooks.vault import readable
from webhooks.web.shared.access import admin
from webhooks.web.ui import location_token
from webhooks.web.ui.page import notice, parse_form

blueprint = Blueprint("phone_systems", __name__)

_TABLES: Final = (
    ("SIP", "SIP code", causes.SIP),
    ("Q.850", "Cause", causes.Q850),
    ("DIALSTATUS", "Word", causes.DIALSTATUS),
)


@blueprint.get("/causes")
@admin
def show_causes() -> Any:
    return render_template("causes/show.html", tables=_TABLES)


@blueprint.get("/locations/<int:location_id>/phone-systems/<system>")
@admin
def show(location_id: int, system: str) -> Any:
    return _page(location_id, system)


@blueprint.post("/locations/<int:location_id>/phone-systems/<system>/token")
@admin
def fill_in(location_id: int, system: str) -> Any:
    """Show the lines with a token that the visitor has kept."""
    try:
        location_token.fill_in(_known(location_id, system), request.form.get("token", ""))
    except Invalid as error:
        return _page(location_id, system, error), 422
    return _back(location_id, system)


@blueprint.get("/locations/<int:location_id>/phone-systems/<system>/rotate")
@admin
def rotate(location_id: int, system: str) -> Any:
    return location_token.rotation_page(_known(location_id, system), _address(location_id, system))


@blueprint.post("/locations/<int:location_id>/phone-systems/<system>/rotate")
@admin
def rotate_submit(location_id: int, system: str) -> Any:
    return location_token.rotated(_known(location_id, system), _address(location_id, system))


@blueprint.post("/locations/<int:location_id>/phone-systems/yeastar/secret")
@admin
def save_secret(location_id: int) -> Any:
    _known(location_id, "yeastar")
    secret = None
    if "remove" not in request.form:
        try:
            secret = parse_form(SecretInput).secret
        except SpokeError as error:
            return _page(location_id, "yeastar", error), 422
    services().phone_systems.set_signing_secret(location_id, secret)
    notice("Messages have to be signed now." if secret else "Messages need no signature any more.")
    return _back(location_id, "yeastar")


@blueprint.post("/locations/<int:location_id>/phone-systems/3cx/template")
@admin
def template(location_id: int) -> Any:
    """Send the CRM template for 3CX, with address and token filled in."""
    location = _known(location_id, "3cx")
    try:
        token = location_token.checked(location, request.form.get("token", ""))
    except Invalid as error:
        return _page(location_id, "3cx", error), 422
    door = f"{services().settings.base_url}/api/pbx/3cx/t/{token}"
    text = render_template("phone_systems/3cx.xml", door=escape(door, {'"': "&quot;"}))
    headers = {
        "Content-Disposition": 'attachment; filename="spoke-webhooks.xml"',
        "Cache-Control": "no-store",
    }
    return Response(text, headers=headers, content_type="application/xml; charset=utf-8")


def _known(location_id: int, system: str) -> Location:
    if system not in SYSTEMS:
        abort(404)
    return services().locations.get(location_id)


def _address(location_id: int, system: str) -> str:
    return url_for("phone_systems.show", location_id=location_id, system=system)


def _back(location_id: int, system: str) -> Any:
    return redirect(_address(location_id, system), 303)


def _page(location_id: int, system: str, error: SpokeError | None = None) -> str:
    location = _known(location_id, system)
    in_lines = location_token.in_lines(location)
    site = services().phone_systems.settings_of(location_id)
    return render_template(
        "phone_systems/show.html",
        location=location,
        system=SYSTEMS[system],
        door=f"{services().settings.base_url}/api/pbx/{system}/t/{in_lines['token']}",
        **in_lines,
        site=site,
        secret_lost=site.signing_secret is not None and not readable(site.signing_secret),
        unknown=services().phone_systems.unknown_kinds(location_id, system),
        error=error,
    )
