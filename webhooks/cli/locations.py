"""``location``: PBXs that may post events."""

from typing import Any

import click

from webhooks.cli.common import command, iso, new_group, show, table
from webhooks.db.models import Location
from webhooks.services.container import services

group = new_group("location", "PBXs that may post events.", "flask --app app location add Office")


@command(group, "add", "flask --app app location add Office")
@click.argument("name")
def add(name: str, as_json: bool) -> None:
    """Add a location and print its token, which is shown only now."""
    location, token = services().locations.add(name)
    show(as_json, {"id": location.id, "name": location.name, "token": token},
           f"Location {location.name!r} added. Its token, shown only now:", f"  {token}")  # fmt: skip


@command(group, "list", "flask --app app location list")
def list_(as_json: bool) -> None:
    """List all locations."""
    table(as_json, [_location(one) for one in services().locations.all()],
           "No location yet; add one: flask --app app location add NAME")  # fmt: skip


@command(group, "rename", "flask --app app location rename Office Berlin")
@click.argument("name")
@click.argument("new")
def rename(name: str, new: str, as_json: bool) -> None:
    """Give a location another name; its token stays."""
    show(as_json, _location(services().locations.rename(name, new)), f"{name!r} is called {new!r} now.")


@command(group, "rotate", "flask --app app location rotate Office")
@click.argument("name")
def rotate(name: str, as_json: bool) -> None:
    """Make a new token; the old one is refused from now on."""
    location, token = services().locations.rotate_token(name)
    show(as_json, {"id": location.id, "name": location.name, "token": token},
           f"The new token of {name!r}, shown only now:", f"  {token}")  # fmt: skip


@command(group, "pause", "flask --app app location pause Office")
@click.argument("name")
def pause(name: str, as_json: bool) -> None:
    """Refuse a location's events with 403."""
    show(as_json, _location(services().locations.set_state(name, "paused")),
           f"{name!r} is paused: its PBX is losing events until it is resumed.")  # fmt: skip


@command(group, "resume", "flask --app app location resume Office")
@click.argument("name")
def resume(name: str, as_json: bool) -> None:
    """Take a location's events again."""
    show(
        as_json,
        _location(services().locations.set_state(name, "active")),
        f"{name!r} takes events again.",
    )


@command(group, "delete", "flask --app app location delete Office")
@click.argument("name")
def delete(name: str, as_json: bool) -> None:
    """Delete a location and its webhooks; what is unsent is dropped, the history stays."""
    location = services().locations.delete(name)
    show(as_json, {"id": location.id, "name": location.name}, f"{name!r} and its webhooks are deleted.")


def _location(location: Location) -> dict[str, Any]:
    return {"id": location.id, "name": location.name, "state": location.state,
            "created_at": iso(location.created_at)}  # fmt: skip
