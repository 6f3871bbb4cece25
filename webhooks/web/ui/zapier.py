"""Zapier: connect a location, its key, and the Zaps that subscribed themselves."""

from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, redirect, render_template, url_for
from pydantic import Field

from webhooks.catalogue import counted
from webhooks.errors import NotFound, SpokeError
from webhooks.services.container import services
from webhooks.services.integrations import ZAPIER
from webhooks.services.parsing import Input, RowNumber
from webhooks.web.shared.access import admin
from webhooks.web.ui.cards import unconnected
from webhooks.web.ui.page import notice, paged, parse_form, reveal, revealed

blueprint = Blueprint("zapier", __name__)


class ZapierForm(Input):
    """The location whose events are to start Zaps."""

    location: RowNumber = Field(title="Location")


@blueprint.get("/zapier/connect")
@admin
def connect() -> Any:
    return _connect_page()


@blueprint.post("/zapier/connect")
@admin
def connect_submit() -> Any:
    try:
        location = services().locations.get(parse_form(ZapierForm).location)
        key = services().zapier.connect(location.id)
    except SpokeError as error:
        return _connect_page(error), 422
    notice(f"{location.name} is connected to Zapier. Now enter address and key there.")
    return _reveal_key(location.id, key)


@blueprint.get("/locations/<int:location_id>/zapier")
@admin
def show(location_id: int) -> Any:
    """Manage Zapier: what to enter there, and the Zaps."""
    location = services().locations.get(location_id)
    try:
        key = services().zapier.key(location_id)
    except NotFound:  # the page of a Zap that was removed leads here
        notice(f"{location.name} is not connected to Zapier.")
        return redirect(url_for("zapier.connect"))
    zaps = paged(services().webhooks.all(location_id, ZAPIER))
    ids = [webhook.id for webhook in zaps.items]
    return render_template(
        "zapier/show.html",
        location=location,
        key=key,
        zaps=zaps,
        hours=services().stats.of_webhooks(ids),
        facts=services().webhooks.facts(ids),
        over_https=urlsplit(services().settings.base_url).scheme == "https",
        revealed=revealed(_about(location_id)),
    )


@blueprint.get("/locations/<int:location_id>/zapier/key")
@admin
def renew_key(location_id: int) -> Any:
    """Ask whether the present key is to be replaced."""
    location, key = services().locations.get(location_id), services().zapier.key(location_id)
    return render_template("zapier/key.html", location=location, key=key)


@blueprint.post("/locations/<int:location_id>/zapier/key")
@admin
def renew_key_submit(location_id: int) -> Any:
    return _reveal_key(location_id, services().zapier.renew_key(location_id))


@blueprint.get("/locations/<int:location_id>/zapier/disconnect")
@admin
def disconnect(location_id: int) -> Any:
    location = services().locations.get(location_id)
    services().zapier.key(location_id)  # 404 where it is not connected
    zaps = services().webhooks.all(location_id, ZAPIER)
    return render_template("zapier/disconnect.html", location=location, zaps=zaps)


@blueprint.post("/locations/<int:location_id>/zapier/disconnect")
@admin
def disconnect_submit(location_id: int) -> Any:
    location = services().locations.get(location_id)
    count = services().zapier.disconnect(location_id)
    removed = counted(count, "Zap was", "Zaps were")
    notice(f"{location.name} is disconnected from Zapier. {removed} removed, and its key is revoked.")
    return redirect(url_for("integrations.index"), 303)


def _connect_page(error: SpokeError | None = None) -> str:
    return render_template("zapier/connect.html", waiting=unconnected(ZAPIER), error=error)


def _reveal_key(location_id: int, key: str) -> Any:
    reveal("The API key for Zapier", key, _about(location_id))
    return redirect(url_for("zapier.show", location_id=location_id), 303)


def _about(location_id: int) -> str:
    return f"zapier {location_id}"
