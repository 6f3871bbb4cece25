"""The main page, and connecting a location: Connect, choose a location, Authorize."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from flask import Blueprint, redirect, render_template, request, url_for
from pydantic import Field

from webhooks.catalogue import counted
from webhooks.db.models import Location
from webhooks.errors import Invalid, SpokeError
from webhooks.services.container import services
from webhooks.services.delivery_filter import DeliveryFilter
from webhooks.services.matters import KINDS
from webhooks.services.overview import together
from webhooks.services.parsing import Input, Name, RowNumber
from webhooks.services.stats import Pulse
from webhooks.web.shared.access import admin
from webhooks.web.ui.filters import midnight
from webhooks.web.ui.page import notice, paged, parse_form, reveal, revealed, wants_fragment

blueprint = Blueprint("integrations", __name__)
_LATEST: Final = 6  # deliveries on the main page


class ConnectForm(Input):
    """A location that is there, or the name of a new one, which goes first."""

    location: RowNumber | None = Field(default=None, title="Location")
    new: Name | None = Field(default=None, title="New location")


@blueprint.get("/")
@admin
def index() -> Any:
    """Whether it works, and the integrations; to htmx the first alone, which asks for itself again."""
    locations = services().locations.all()
    active = [location for location in locations if location.connected_at is not None]
    pulses = services().stats.of_locations(midnight())
    now = _now(active, pulses)
    if wants_fragment():
        return render_template("integrations/_now.html", **now)
    return render_template(
        "integrations/index.html",
        active=paged([(location, pulses.get(location.id, Pulse())) for location in active], 30),
        untried=services().overview.untried(),
        connectable=len(active) < len(locations) or not locations,
        revealed=revealed("main"),
        **now,
    )


def _now(active: Sequence[Location], pulses: Mapping[int, Pulse]) -> dict[str, Any]:
    """The values of what answers "is it working"."""
    troubles = services().overview.troubles()
    ids = {f"webhook {trouble.webhook.id}" for trouble in troubles.shown}  # these have told it themselves
    return {
        "troubles": troubles,
        "losing": [location for location in active if location.state == "paused"],
        "matters": [matter for matter in services().alerts.open() if matter.subject not in ids],
        "kinds": KINDS,
        "day": together(pulses.values()),
        "queues": services().stats.queues(),
        "page": services().delivery_log.page(DeliveryFilter(), count=_LATEST),
    }


@blueprint.get("/connect")
@admin
def connect() -> Any:
    return _connect_page()


@blueprint.post("/connect")
@admin
def connect_submit() -> Any:
    try:
        form = parse_form(ConnectForm)
        if form.new is not None:
            location, token = services().locations.add(form.new)
            reveal(f"The token of {location.name}", token, "main")
        elif form.location is not None:
            location = services().locations.get(form.location)
        else:
            raise Invalid("Choose a location, or name a new one.", "new")
        services().locations.connect(location.name)
    except SpokeError as error:
        return _connect_page(error, request.form.get("new", "")), 422
    notice(f"{location.name} is connected to Webhooks. Now choose what to send where: Manage Webhooks.")
    return redirect(url_for("integrations.index"), 303)


@blueprint.get("/locations/<int:location_id>/disconnect")
@admin
def disconnect(location_id: int) -> Any:
    location = services().locations.get(location_id)
    return render_template(
        "integrations/disconnect.html", location=location, webhooks=services().webhooks.all(location_id)
    )


@blueprint.post("/locations/<int:location_id>/disconnect")
@admin
def disconnect_submit(location_id: int) -> Any:
    location = services().locations.get(location_id)
    count = services().locations.disconnect(location.name)
    notice(f"{location.name} is disconnected. {counted(count, 'webhook was', 'webhooks were')} deleted.")
    return redirect(url_for("integrations.index"), 303)


def _connect_page(error: SpokeError | None = None, new: str = "") -> str:
    waiting = {
        location.id: location.name for location in services().locations.all() if location.connected_at is None
    }
    return render_template("integrations/connect.html", waiting=waiting, error=error, new=new)
