"""Locations: the PBXs, their tokens, and the lines to copy into them."""

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for

from webhooks.errors import SpokeError
from webhooks.pbx.systems import SYSTEMS
from webhooks.services.container import services
from webhooks.services.integrations import ZOHO
from webhooks.services.parsing import Named
from webhooks.services.pbx_systems import SYSTEMS as LIVE
from webhooks.services.phone_systems import SiteInput
from webhooks.services.stats import Pulse
from webhooks.web.shared.access import admin
from webhooks.web.ui import location_token
from webhooks.web.ui.cards import connections_of
from webhooks.web.ui.filters import midnight
from webhooks.web.ui.page import notice, paged, parse_form, reveal, revealed

blueprint = Blueprint("locations", __name__)


@blueprint.get("/locations")
@admin
def index() -> Any:
    return _list()


@blueprint.post("/locations")
@admin
def add() -> Any:
    try:
        location, token = services().locations.add(parse_form(Named).name)
    except SpokeError as error:
        return _list(error, request.form.get("name", "")), 422
    reveal(f"The token of {location.name}", token, f"location {location.id}")
    notice(f"{location.name} is added.")
    return redirect(url_for("locations.show", location_id=location.id), 303)


@blueprint.get("/locations/<int:location_id>")
@admin
def show(location_id: int) -> Any:
    return _page(location_id)


@blueprint.post("/locations/<int:location_id>/rename")
@admin
def rename(location_id: int) -> Any:
    location = services().locations.get(location_id)
    try:
        services().locations.rename(location.name, parse_form(Named).name)
    except SpokeError as error:
        return _page(location_id, error, request.form.get("name", "")), 422
    return redirect(url_for("locations.show", location_id=location_id), 303)


@blueprint.get("/locations/<int:location_id>/pause")
@admin
def pause(location_id: int) -> Any:
    """Ask whether its events are to be refused."""
    return render_template("locations/pause.html", location=services().locations.get(location_id))


@blueprint.post("/locations/<int:location_id>/<any(pause, resume):move>")
@admin
def move(location_id: int, move: str) -> Any:
    location = services().locations.get(location_id)
    services().locations.set_state(location.name, "paused" if move == "pause" else "active")
    notice(
        f"{location.name} is paused. Its PBX is losing events: they are refused with 403."
        if move == "pause"
        else f"{location.name} accepts events again."
    )
    return redirect(url_for("locations.show", location_id=location_id), 303)


@blueprint.get("/locations/<int:location_id>/rotate")
@admin
def rotate(location_id: int) -> Any:
    """Ask whether there is to be a new token, or say why there cannot be one."""
    return location_token.rotation_page(services().locations.get(location_id))


@blueprint.post("/locations/<int:location_id>/rotate")
@admin
def rotate_submit(location_id: int) -> Any:
    location = services().locations.get(location_id)
    return location_token.rotated(location, url_for("locations.show", location_id=location_id))


@blueprint.post("/locations/<int:location_id>/end-token")
@admin
def end_former_token(location_id: int) -> Any:
    """Refuse the old token before its day is over."""
    location = services().locations.get(location_id)
    services().locations.end_former_token(location.name)
    notice(f"The old token of {location.name} is refused from now on.")
    return redirect(url_for("locations.show", location_id=location_id), 303)


@blueprint.post("/locations/<int:location_id>/phone-settings")
@admin
def save_phone_settings(location_id: int) -> Any:
    """Save what holds for every phone system of the location."""
    location = services().locations.get(location_id)
    try:
        services().phone_systems.save(location_id, parse_form(SiteInput))
    except SpokeError as error:
        return _page(location_id, error), 422
    notice(f"The settings of {location.name} are saved. They hold for the next event.")
    return redirect(url_for("locations.show", location_id=location_id), 303)


@blueprint.get("/locations/<int:location_id>/delete")
@admin
def delete(location_id: int) -> Any:
    return render_template(
        "locations/delete.html",
        location=services().locations.get(location_id),
        webhooks=[one for one in services().webhooks.all(location_id) if one.integration != ZOHO.name],
        connected=services().integrations.connected().get(location_id, ()),
    )


@blueprint.post("/locations/<int:location_id>/delete")
@admin
def delete_submit(location_id: int) -> Any:
    location = services().locations.get(location_id)
    _, problem = services().locations.delete(location.name)
    gone = f"{location.name} and its webhooks are deleted. The log stays."
    if problem:
        gone += f" Zoho may still show it as connected; disable it there as well. {problem}"
    notice(gone, warns=bool(problem))
    return redirect(url_for("locations.index"), 303)


def _list(error: SpokeError | None = None, name: str = "") -> str:
    pulses = services().stats.of_locations(midnight())
    locations = services().locations.all()
    return render_template(
        "locations/index.html",
        locations=paged([(location, pulses.get(location.id, Pulse())) for location in locations]),
        connected=services().integrations.connected(),
        unknown=services().refusals.since(None, midnight()),
        error=error,
        name=name,
    )


def _page(location_id: int, error: SpokeError | None = None, name: str | None = None) -> str:
    location = services().locations.get(location_id)
    shown = revealed(f"location {location_id}")
    site = services().phone_systems.settings_of(location_id)
    typed = request.form if "country" in request.form else {}
    return render_template(
        "locations/show.html",
        location=location,
        name=location.name if name is None else name,
        pulse=services().stats.of_locations(midnight()).get(location_id, Pulse()),
        connections=connections_of(location, services().stats.of_integrations(midnight())),
        changes=services().audit_log.latest(10, subject=f"location {location.id}"),
        systems=SYSTEMS,
        silence_hours=services().alerts.silence_hours(location_id),
        refused=services().refusals.since(location_id, midnight()),
        unknown=services().phone_systems.unknown_kinds(location_id),
        pbx=services().pbx.of(location_id),
        country=typed.get("country", site.country),
        time_zone=typed.get("time_zone", site.time_zone),
        internal="internal" in typed if typed else site.internal,
        live=LIVE.values(),
        titles={one.name: one.title for one in LIVE.values()}
        | {one.name: one.title for one in SYSTEMS.values()},
        revealed=shown,
        token=shown["secret"] if shown else "TOKEN",
        error=error,
    )
