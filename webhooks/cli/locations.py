"""``location``: PBXs that may post events."""

from typing import Any, Final

import click

from webhooks.cli.common import QUIET, command, iso, new_group, show, show_secret, table
from webhooks.db.models import Location, Refusal
from webhooks.services.container import services

group = new_group("location", "PBXs that may post events.", "flask --app app location add Office")

_SHOWN: Final = 60  # characters of a body in a table


@command(group, "add", "flask --app app location add Office")
@click.argument("name")
@QUIET
def add(name: str, quiet: bool, as_json: bool) -> None:
    """Add a location and print its token, which is not shown again."""
    location, token = services().locations.add(name)
    made = {"id": location.id, "name": location.name, "token": token}
    show_secret(
        as_json, quiet, made, f"Location {location.name!r} is added; its PBX needs this token.", token
    )


@command(group, "list", "flask --app app location list")
def list_(as_json: bool) -> None:
    """List all locations."""
    rows = [_location(location) for location in services().locations.all()]
    table(as_json, rows, "No location yet. Add one: flask --app app location add NAME")


@command(group, "rename", "flask --app app location rename Office Berlin")
@click.argument("name")
@click.argument("new")
def rename(name: str, new: str, as_json: bool) -> None:
    """Rename a location. Its token stays."""
    location = services().locations.rename(name, new)
    show(as_json, _location(location), f"Location {name!r} is renamed to {location.name!r}. Its token stays.")


@command(group, "rotate", "flask --app app location rotate Office")
@click.argument("name")
@click.option("--now", "at_once", is_flag=True, help="Refuse the old token from now on, as after a leak.")
@QUIET
def rotate(name: str, at_once: bool, quiet: bool, as_json: bool) -> None:
    """Replace a location's token. The old token is accepted for 24 hours as well."""
    location, token = services().locations.rotate_token(name, at_once=at_once)
    made = {"id": location.id, "name": location.name, "token": token}
    old = f"accepted until {iso(location.both_until)}" if location.both_until else "refused from now on"
    show_secret(as_json, quiet, made, f"Location {name!r} has a new token; the old one is {old}.", token)


@command(group, "pause", "flask --app app location pause Office")
@click.argument("name")
def pause(name: str, as_json: bool) -> None:
    """Refuse a location's events with 403. Its PBX loses them."""
    show(as_json, _location(services().locations.set_state(name, "paused")),
           f"Location {name!r} is paused: its PBX loses events until you resume it.")  # fmt: skip


@command(group, "resume", "flask --app app location resume Office")
@click.argument("name")
def resume(name: str, as_json: bool) -> None:
    """Accept a location's events again."""
    show(
        as_json,
        _location(services().locations.set_state(name, "active")),
        f"Location {name!r} accepts events again.",
    )


@command(group, "delete", "flask --app app location delete Office")
@click.argument("name")
def delete(name: str, as_json: bool) -> None:
    """Delete a location and its webhooks. Unsent deliveries are dropped; the history stays."""
    location, problem = services().locations.delete(name)
    lines = [f"Location {name!r} and its webhooks are deleted."]
    if problem:
        lines.append(f"Zoho may still show it as connected; disable it there as well. {problem}")
    show(as_json, {"id": location.id, "name": location.name, "problem": problem}, *lines)


@command(group, "refusals", "flask --app app location refusals Office")
@click.argument("name", required=False)
def refusals(name: str | None, as_json: bool) -> None:
    """List what was refused of a location, newest first; without NAME what had no known token."""
    location_id = None if name is None else services().locations.by_name(name).id
    rows = [_refusal(one) for one in services().refusals.of(location_id)]
    if not as_json:
        for row in rows:
            row["body"] = row["body"] if len(row["body"]) <= _SHOWN else f"{row['body'][:_SHOWN]}…"
    table(as_json, rows, "Nothing was refused.")


def _refusal(refusal: Refusal) -> dict[str, Any]:
    return {
        "at": iso(refusal.at),
        "count": refusal.count,
        "status": refusal.http_status,
        "door": refusal.door,
        "caller": refusal.caller,
        "reason": refusal.reason,
        "body": refusal.body,
    }


def _location(location: Location) -> dict[str, Any]:
    return {"id": location.id, "name": location.name, "state": location.state,
            "created_at": iso(location.created_at)}  # fmt: skip
