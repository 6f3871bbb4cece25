"""Locations: the PBXs, their tokens, and the lines to copy into them."""

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for

from webhooks.errors import SpokeError
from webhooks.pbx.systems import SYSTEMS
from webhooks.services.container import services
from webhooks.services.parsing import Named
from webhooks.services.pbx_systems import SYSTEMS as LIVE
from webhooks.services.stats import Pulse
from webhooks.web.shared.access import admin
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


@blueprint.post("/locations/<int:location_id>/rotate")
@admin
def rotate(location_id: int) -> Any:
    location = services().locations.get(location_id)
    _, token = services().locations.rotate_token(location.name)
    reveal(f"The new token of {location.name}", token, f"location {location_id}")
    notice("The old token no longer works. Enter the new one at the PBX.")
    return redirect(url_for("locations.show", location_id=location_id), 303)


@blueprint.get("/locations/<int:location_id>/delete")
@admin
def delete(location_id: int) -> Any:
    return render_template(
        "locations/delete.html",
        location=services().locations.get(location_id),
        webhooks=services().webhooks.all(location_id),
    )


@blueprint.post("/locations/<int:location_id>/delete")
@admin
def delete_submit(location_id: int) -> Any:
    location = services().locations.get(location_id)
    services().locations.delete(location.name)
    notice(f"{location.name} and its webhooks are deleted. The log stays.")
    return redirect(url_for("locations.index"), 303)


def _list(error: SpokeError | None = None, name: str = "") -> str:
    pulses = services().stats.of_locations(midnight())
    locations = services().locations.all()
    return render_template(
        "locations/index.html",
        locations=paged([(location, pulses.get(location.id, Pulse())) for location in locations]),
        unknown=services().refusals.since(None, midnight()),
        error=error,
        name=name,
    )


def _page(location_id: int, error: SpokeError | None = None, name: str | None = None) -> str:
    location = services().locations.get(location_id)
    shown = revealed(f"location {location_id}")
    return render_template(
        "locations/show.html",
        location=location,
        name=location.name if name is None else name,
        pulse=services().stats.of_locations(midnight()).get(location_id, Pulse()),
        changes=services().audit_log.latest(10, subject=f"location {location.id}"),
        systems=SYSTEMS,
        silence_hours=services().alerts.silence_hours(location_id),
        refused=services().refusals.since(location_id, midnight()),
        unknown=services().phone_systems.unknown_kinds(location_id),
        pbx=services().pbx.of(location_id),
        live=LIVE.values(),
        revealed=shown,
        token=shown["secret"] if shown else "TOKEN",
        error=error,
    )
