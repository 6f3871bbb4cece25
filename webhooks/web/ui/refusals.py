"""Refused requests: those of a location, and those whose token no location has."""

from typing import Any

from flask import Blueprint, render_template

from webhooks.services.container import services
from webhooks.services.refusals import KEPT
from webhooks.web.shared.access import admin
from webhooks.web.ui.filters import midnight

blueprint = Blueprint("refusals", __name__)


@blueprint.get("/locations/<int:location_id>/refusals")
@admin
def index(location_id: int) -> Any:
    location = services().locations.get(location_id)
    return render_template("refusals/index.html", location=location, **_listed(location_id))


@blueprint.get("/locations/refusals")
@admin
def unknown() -> Any:
    return render_template("refusals/index.html", location=None, **_listed(None))


def _listed(location_id: int | None) -> dict[str, Any]:
    refusals = services().refusals
    return {
        "refusals": refusals.of(location_id),
        "today": refusals.since(location_id, midnight()),
        "kept": KEPT,
    }
