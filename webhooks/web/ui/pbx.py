"""Connect to Asterisk: the form, the lines for the phone system, how the connection is; disconnect."""

import ipaddress
import socket
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for

from webhooks.db.models import PbxConnection
from webhooks.errors import SpokeError
from webhooks.services.container import services
from webhooks.services.pbx import NONE, AsteriskInput, place_of
from webhooks.web.shared.access import admin
from webhooks.web.ui.page import notice, parse_form

blueprint = Blueprint("pbx", __name__)

_USER = "spoke"
_LISTS = ("internal_numbers", "outgoing_prefixes", "trunks", "trunk_contexts")


@blueprint.get("/locations/<int:location_id>/asterisk")
@admin
def show(location_id: int) -> Any:
    return _page(location_id)


@blueprint.post("/locations/<int:location_id>/asterisk")
@admin
def connect(location_id: int) -> Any:
    location = services().locations.get(location_id)
    try:
        row = services().pbx.connect(location.name, parse_form(AsteriskInput))
    except SpokeError as error:
        return _page(location_id, error), 422
    notice(f"{location.name} is being connected to Asterisk at {place_of(row)}. Its state is below.")
    return redirect(url_for("pbx.show", location_id=location_id), 303)


@blueprint.get("/locations/<int:location_id>/asterisk/state")
@admin
def state(location_id: int) -> Any:
    row = services().pbx.of(location_id)
    return render_template("pbx/_state.html", row=row, now=row and services().pbx.condition(row))


@blueprint.get("/locations/<int:location_id>/asterisk/disconnect")
@admin
def disconnect(location_id: int) -> Any:
    location = services().locations.get(location_id)
    row = services().pbx.by_name(location.name)
    return render_template("pbx/disconnect.html", location=location, place=place_of(row))


@blueprint.post("/locations/<int:location_id>/asterisk/disconnect")
@admin
def disconnect_submit(location_id: int) -> Any:
    location = services().locations.get(location_id)
    row = services().pbx.disconnect(location.name)
    notice(f"{location.name} is disconnected from Asterisk at {place_of(row)}. Its webhooks stay.")
    return redirect(url_for("locations.show", location_id=location_id), 303)


def _page(location_id: int, error: SpokeError | None = None) -> str:
    location = services().locations.get(location_id)
    row = services().pbx.of(location_id)
    typed = _typed() if error else _kept(row)
    return render_template(
        "pbx/asterisk.html",
        location=location,
        row=row,
        now=row and services().pbx.condition(row),
        typed=typed,
        error=error,
        user=typed["user"] or _USER,
        permit=_own_network(typed["host"]),
        country=services().phone_systems.country_of(location_id),
    )


def _typed() -> dict[str, Any]:
    texts = ("host", "port", "user", "ca", *_LISTS)
    ticks = ("tls", "internal_calls")
    return {name: request.form.get(name, "") for name in texts} | {
        name: name in request.form for name in ticks
    }


def _kept(row: PbxConnection | None) -> dict[str, Any]:
    if row is None:
        return {
            "host": "",
            "port": "5038",
            "user": _USER,
            "ca": "",
            "tls": False,
            "internal_calls": False,
        } | {name: "" for name in _LISTS}
    options: dict[str, Any] = row.options
    return {
        **row.account,
        "internal_calls": options.get("internal_calls", False),
        **{name: ", ".join(options[name]) or NONE if name in options else "" for name in _LISTS},
    }


def _own_network(host: str) -> str:
    """Return the address that the phone system sees of us, as its ``permit`` line wants it.

    A socket that sends nothing tells which of our addresses leads there. Empty where no host is known yet: a
    name is not looked up, which could take long.
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "127.0.0.1/255.255.255.255" if host == "localhost" else ""
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, 5038))
        except OSError:
            return ""
        own = probe.getsockname()[0]
    return f"{own}/255.255.255.255" if address.version == 4 else f"{own}/128"
