"""Connect to Asterisk or FreeSWITCH: the form, the lines to copy, how the connection is; disconnect."""

import ipaddress
import socket
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for

from webhooks.db.models import PbxConnection
from webhooks.errors import SpokeError
from webhooks.pbx.systems import FREESWITCH_LIVE
from webhooks.services.container import services
from webhooks.services.pbx import place_of
from webhooks.services.pbx_systems import NONE, SYSTEMS, LiveSystem
from webhooks.web.shared.access import admin
from webhooks.web.ui.page import notice, parse_form

blueprint = Blueprint("pbx", __name__)

_USER = "spoke"
_FAR_AWAY = (
    "192.0.2.1"  # of no machine (RFC 5737): whoever is beyond our network sees the address that leads there
)
_LISTS = ("internal_numbers", "outgoing_prefixes", "trunks", "trunk_contexts")


@blueprint.get("/locations/<int:location_id>/<any(asterisk, freeswitch):system>")
@admin
def show(location_id: int, system: str) -> Any:
    return _page(location_id, SYSTEMS[system])


@blueprint.post("/locations/<int:location_id>/<any(asterisk, freeswitch):system>")
@admin
def connect(location_id: int, system: str) -> Any:
    location, kind = services().locations.get(location_id), SYSTEMS[system]
    try:
        row = services().pbx.connect(location.name, parse_form(kind.form))
    except SpokeError as error:
        return _page(location_id, kind, error), 422
    notice(f"{location.name} is being connected to {kind.title} at {place_of(row)}. Its state is below.")
    return redirect(url_for("pbx.show", location_id=location_id, system=system), 303)


@blueprint.get("/locations/<int:location_id>/<any(asterisk, freeswitch):system>/state")
@admin
def state(location_id: int, system: str) -> Any:
    row = _own(services().pbx.of(location_id), SYSTEMS[system])
    return render_template("pbx/_state.html", row=row, now=row and services().pbx.condition(row))


@blueprint.get("/locations/<int:location_id>/<any(asterisk, freeswitch):system>/disconnect")
@admin
def disconnect(location_id: int, system: str) -> Any:
    location = services().locations.get(location_id)
    row = services().pbx.by_name(location.name)
    kind = SYSTEMS[row.system]
    return render_template("pbx/disconnect.html", location=location, place=place_of(row), kind=kind)


@blueprint.post("/locations/<int:location_id>/<any(asterisk, freeswitch):system>/disconnect")
@admin
def disconnect_submit(location_id: int, system: str) -> Any:
    location = services().locations.get(location_id)
    row = services().pbx.disconnect(location.name)
    title = SYSTEMS[row.system].title
    notice(f"{location.name} is disconnected from {title} at {place_of(row)}. Its webhooks stay.")
    return redirect(url_for("locations.show", location_id=location_id), 303)


def _own(row: PbxConnection | None, kind: LiveSystem) -> PbxConnection | None:
    """The connection, where it is one to this kind of phone system."""
    return row if row is not None and row.system == kind.name else None


def _page(location_id: int, kind: LiveSystem, error: SpokeError | None = None) -> str:
    location = services().locations.get(location_id)
    present = services().pbx.of(location_id)
    row = _own(present, kind)
    typed = _typed() if error else _kept(row, kind)
    return render_template(
        f"pbx/{kind.name}.html",
        location=location,
        kind=kind,
        row=row,
        other=present and not row and SYSTEMS[present.system],
        now=row and services().pbx.condition(row),
        typed=typed,
        error=error,
        user=typed["user"] or _USER,
        own=_own_address(typed["host"] or _FAR_AWAY),
        webhooks=len(services().webhooks.all(location_id)),
        country=services().phone_systems.country_of(location_id),
        system=FREESWITCH_LIVE,
        unknown=services().phone_systems.unknown_kinds(location_id, kind.name),
    )


def _typed() -> dict[str, Any]:
    texts = ("host", "port", "user", "ca", *_LISTS)
    ticks = ("tls", "internal_calls")
    return {name: request.form.get(name, "") for name in texts} | {
        name: name in request.form for name in ticks
    }


def _kept(row: PbxConnection | None, kind: LiveSystem) -> dict[str, Any]:
    if row is None:
        return {
            "host": "",
            "port": str(kind.port),
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


def _own_address(host: str) -> str:
    """Return the address that the phone system sees of us.

    A socket that sends nothing tells which of our addresses leads there. Empty where that is not known: a
    name is not looked up, which could take long.
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "127.0.0.1" if host == "localhost" else ""
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, 9))
        except OSError:
            return ""
        return str(probe.getsockname()[0])
