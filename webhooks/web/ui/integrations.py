"""The main page with its cards, and connecting a location to Webhooks: choose it, Authorize."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from flask import Blueprint, redirect, render_template, request, url_for
from pydantic import Field

from webhooks.catalogue import counted
from webhooks.db.models import Location
from webhooks.errors import Invalid, SpokeError
from webhooks.services.container import services
from webhooks.services.delivery_filter import DeliveryFilter
from webhooks.services.integrations import WEBHOOKS
from webhooks.services.matters import title_of
from webhooks.services.parsing import Input, Name, RowNumber
from webhooks.services.stats import Pulse, together
from webhooks.web.shared.access import admin
from webhooks.web.ui.cards import active_cards, available_cards, unconnected
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
    pulses = services().stats.of_integrations(midnight())
    connected = services().integrations.connected()
    now = _now([one for one in locations if one.id in connected], pulses.values())
    if wants_fragment():
        return render_template("integrations/_now.html", **now)
    untried, cards = services().overview.untried(), active_cards(locations, connected)
    return render_template(
        "integrations/index.html",
        active=paged([(card, pulses.get(card.key, Pulse()), untried.get(card.key, 0)) for card in cards], 30),
        available=available_cards(locations, cards),
        refused=services().zoho.refused(),
        revealed=revealed("main"),
        **now,
    )


def _now(locations: Sequence[Location], pulses: Iterable[Pulse]) -> dict[str, Any]:
    """The values of what answers "is it working". ``locations``: those that are connected."""
    troubles = services().overview.troubles()
    ids = {f"webhook {trouble.webhook.id}" for trouble in troubles.shown}  # these have told it themselves
    return {
        "troubles": troubles,
        "losing": [one for one in locations if one.state == "paused"],
        "matters": [matter for matter in services().alerts.open() if matter.subject not in ids],
        "title_of": title_of,
        "day": together(pulses),
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
        "integrations/disconnect.html",
        location=location,
        webhooks=services().webhooks.all(location_id, WEBHOOKS),
    )


@blueprint.post("/locations/<int:location_id>/disconnect")
@admin
def disconnect_submit(location_id: int) -> Any:
    location = services().locations.get(location_id)
    count = services().locations.disconnect(location.name)
    notice(f"{location.name} is disconnected. {counted(count, 'webhook was', 'webhooks were')} deleted.")
    return redirect(url_for("integrations.index"), 303)


def _connect_page(error: SpokeError | None = None, new: str = "") -> str:
    waiting = unconnected(WEBHOOKS)
    return render_template("integrations/connect.html", waiting=waiting, error=error, new=new)
