"""``flask --app app …``: administration from the command line."""

import functools
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click
from flask import Flask
from flask.cli import AppGroup

from webhooks.catalogue import CALL_STATUSES, CALL_TYPES, EVENT_TYPES
from webhooks.db import Store
from webhooks.delivery.wakeup import Waker
from webhooks.errors import SpokeError
from webhooks.events.body import make_event
from webhooks.events.intake import Accepted, Intake
from webhooks.models import Location, Webhook
from webhooks.operate.prepare import set_password
from webhooks.registry import Registry
from webhooks.settings import Settings

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def _group(name: str, help_: str, example: str) -> AppGroup:
    return AppGroup(name, help=f"{help_}\n\n\b\nExample:\n  {example}")


def _command(group: click.Group, name: str, example: str) -> Callable[[Callable[..., Any]], click.Command]:
    """A command whose domain errors become one sentence on standard error and exit status 1."""

    def make(function: Callable[..., Any]) -> click.Command:
        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> None:
            try:
                function(*args, **kwargs)
            except SpokeError as error:
                click.echo(str(error), err=True)
                sys.exit(1)

        run.__doc__ = f"{function.__doc__}\n\n\b\nExample:\n  {example}"
        return group.command(name)(_JSON(run))

    return make


def _print(as_json: bool, value: Any, *lines: str) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2) if as_json else "\n".join(lines))


def _table(as_json: bool, rows: list[dict[str, Any]], empty: str) -> None:
    if as_json or not rows:
        _print(as_json, rows, empty)
        return
    columns = list(rows[0])
    cells = [columns, *([str("any" if row[c] is None else row[c]) for c in columns] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    for line in cells:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def _location(location: Location) -> dict[str, Any]:
    return {"id": location.id, "name": location.name, "state": location.state,
            "created_at": _iso(location.created_at)}  # fmt: skip


def _webhook(webhook: Webhook) -> dict[str, Any]:
    return {
        "id": webhook.id, "location": webhook.location.name, "kind": webhook.kind, "type": webhook.type,
        "status": webhook.status, "url": webhook.url, "description": webhook.description,
        "state": webhook.state, "reason": webhook.reason, "created_at": _iso(webhook.created_at),
    }  # fmt: skip


def init_app(app: Flask, settings: Settings, store: Store) -> None:
    """Hang the commands into the app's command line."""
    registry = Registry(settings, store)
    for group in (_locations(registry), _webhooks(registry, store, settings), _keys(registry)):
        app.cli.add_command(group)
    app.cli.add_command(_events(registry, store, settings))
    app.cli.add_command(_password(settings, store))


def _locations(registry: Registry) -> AppGroup:
    group = _group("location", "PBXs that may post events.", "flask --app app location add Office")

    @_command(group, "add", "flask --app app location add Office")
    @click.argument("name")
    def add(name: str, as_json: bool) -> None:
        """Add a location and print its token, which is shown only now."""
        location, token = registry.add_location(name)
        _print(as_json, {"id": location.id, "name": location.name, "token": token},
               f"Location {location.name!r} added. Its token, shown only now:", f"  {token}")  # fmt: skip

    @_command(group, "list", "flask --app app location list")
    def list_(as_json: bool) -> None:
        """List all locations."""
        _table(as_json, [_location(one) for one in registry.locations()],
               "No location yet; add one: flask --app app location add NAME")  # fmt: skip

    @_command(group, "rename", "flask --app app location rename Office Berlin")
    @click.argument("name")
    @click.argument("new")
    def rename(name: str, new: str, as_json: bool) -> None:
        """Give a location another name; its token stays."""
        _print(as_json, _location(registry.rename_location(name, new)), f"{name!r} is called {new!r} now.")

    @_command(group, "rotate", "flask --app app location rotate Office")
    @click.argument("name")
    def rotate(name: str, as_json: bool) -> None:
        """Make a new token; the old one is refused from now on."""
        location, token = registry.rotate_location(name)
        _print(as_json, {"id": location.id, "name": location.name, "token": token},
               f"The new token of {name!r}, shown only now:", f"  {token}")  # fmt: skip

    @_command(group, "pause", "flask --app app location pause Office")
    @click.argument("name")
    def pause(name: str, as_json: bool) -> None:
        """Refuse a location's events with 403."""
        _print(as_json, _location(registry.set_location_state(name, "paused")),
               f"{name!r} is paused: its PBX is losing events until it is resumed.")  # fmt: skip

    @_command(group, "resume", "flask --app app location resume Office")
    @click.argument("name")
    def resume(name: str, as_json: bool) -> None:
        """Take a location's events again."""
        _print(
            as_json, _location(registry.set_location_state(name, "active")), f"{name!r} takes events again."
        )

    @_command(group, "delete", "flask --app app location delete Office")
    @click.argument("name")
    def delete(name: str, as_json: bool) -> None:
        """Delete a location and its webhooks; what is unsent is dropped, the history stays."""
        location = registry.delete_location(name)
        _print(as_json, {"id": location.id, "name": location.name}, f"{name!r} and its webhooks are deleted.")

    return group


def _webhooks(registry: Registry, store: Store, settings: Settings) -> AppGroup:
    group = _group("webhook", "What is sent where.", "flask --app app webhook list")
    type_help = f"{', '.join(EVENT_TYPES)}; left out: any."
    status_help = f"{', '.join(CALL_STATUSES)}; left out: any."

    @_command(group, "add", "flask --app app webhook add --location Office --kind call "
              "--type incoming_call --status missed --url https://crm.example/hook")  # fmt: skip
    @click.option("--location", required=True, help="The location's name.")
    @click.option("--kind", required=True, type=click.Choice(["call", "media"]))
    @click.option("--type", "type_", help=type_help)
    @click.option("--status", help=status_help)
    @click.option("--url", required=True, help="Where to POST to.")
    @click.option("--description", default="", help="For people.")
    def add(
        location: str,
        kind: str,
        type_: str | None,
        status: str | None,
        url: str,
        description: str,
        as_json: bool,
    ) -> None:
        """Add a webhook and print its secret, which is shown only now."""
        webhook = registry.add_webhook(location, kind, type_, status, url, description)
        shown = {"id": webhook.id, "kind": kind, "type": type_, "status": status, "url": url,
                 "secret": webhook.secret}  # fmt: skip
        _print(
            as_json, shown, f"Webhook {webhook.id} added. Its secret, shown only now:", f"  {webhook.secret}"
        )

    @_command(group, "list", "flask --app app webhook list --json")
    def list_(as_json: bool) -> None:
        """List all webhooks."""
        _table(as_json, [_webhook(one) for one in registry.webhooks()],
               "No webhook yet; add one: flask --app app webhook add --help")  # fmt: skip

    @_command(group, "edit", "flask --app app webhook edit 3 --url https://crm.example/new")
    @click.argument("id_", metavar="ID", type=int)
    @click.option("--type", "type_", help=f"{', '.join(EVENT_TYPES)}, or any.")
    @click.option("--status", help=f"{', '.join(CALL_STATUSES)}, or any.")
    @click.option("--url", help="Where to POST to.")
    @click.option("--description", help="For people.")
    def edit(id_: int, as_json: bool, type_: str | None, **changes: str | None) -> None:
        """Change what a webhook is sent, or where; what is not given stays."""
        given = {key: value for key, value in {"type": type_, **changes}.items() if value is not None}
        wanted = {
            key: None if value == "any" and key in ("type", "status") else value
            for key, value in given.items()
        }
        _print(as_json, _webhook(registry.edit_webhook(id_, wanted)), f"Webhook {id_} changed.")

    @_command(group, "pause", "flask --app app webhook pause 3")
    @click.argument("id_", metavar="ID", type=int)
    def pause(id_: int, as_json: bool) -> None:
        """Hold a webhook's deliveries until it is resumed."""
        held = registry.pause_webhook(id_)
        _print(
            as_json, {"id": id_, "state": "paused", "held": held}, f"Webhook {id_} is paused; {held} held."
        )

    @_command(group, "resume", "flask --app app webhook resume 3 --drop-held")
    @click.argument("id_", metavar="ID", type=int)
    @click.option("--drop-held", is_flag=True, help="Drop what was held instead of sending it.")
    def resume(id_: int, drop_held: bool, as_json: bool) -> None:
        """Send what was held, and go on."""
        moved = registry.resume_webhook(id_, drop_held=drop_held)
        Waker(settings).wake_now()
        done = "dropped" if drop_held else "sent"
        _print(
            as_json,
            {"id": id_, "state": "active", done: moved},
            f"Webhook {id_} is active; {moved} held ones {done}.",
        )

    @_command(group, "delete", "flask --app app webhook delete 3")
    @click.argument("id_", metavar="ID", type=int)
    def delete(id_: int, as_json: bool) -> None:
        """Delete a webhook; what is unsent is dropped, the history stays."""
        dropped = registry.delete_webhook(id_)
        _print(
            as_json,
            {"id": id_, "dropped": dropped},
            f"Webhook {id_} is deleted; {dropped} unsent ones dropped.",
        )

    @_command(group, "rotate", "flask --app app webhook rotate 3")
    @click.argument("id_", metavar="ID", type=int)
    def rotate(id_: int, as_json: bool) -> None:
        """Make a new secret; the former one signs as well for 24 hours."""
        secret = registry.rotate_webhook(id_).secret
        _print(
            as_json,
            {"id": id_, "secret": secret},
            f"The new secret of webhook {id_}, shown only now:",
            f"  {secret}",
        )

    @_command(group, "test", "flask --app app webhook test 3")
    @click.argument("id_", metavar="ID", type=int)
    def test(id_: int, as_json: bool) -> None:
        """Send a test event to one webhook, and to no other."""
        webhook = registry.webhook(id_)
        fields = sample_event(webhook.kind, webhook.type, webhook.status) | {"test": True}
        _sent(as_json, _send(store, settings, webhook.location_id, fields, "test", id_))

    @_command(group, "replay", "flask --app app webhook replay 3 --since 2026-11-24T08:00:00+01:00")
    @click.argument("id_", metavar="ID", type=int)
    @click.option("--since", required=True, help="ISO 8601; without a zone it is UTC.")
    def replay(id_: int, since: str, as_json: bool) -> None:
        """Send again all that failed and was accepted since then."""
        count = registry.replay(id_, _time(since))
        Waker(settings).wake_now()
        _print(as_json, {"id": id_, "resent": count}, f"{count} deliveries of webhook {id_} are sent again.")

    return group


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no ISO 8601 time such as 2026-11-24T08:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _keys(registry: Registry) -> AppGroup:
    group = _group("key", "Keys for the HTTP API.", "flask --app app key add zapier")

    @_command(group, "add", "flask --app app key add zapier")
    @click.argument("name")
    def add(name: str, as_json: bool) -> None:
        """Add a key and print it; it is shown only now."""
        row, key = registry.add_key(name)
        _print(as_json, {"name": row.name, "key": key}, f"The key {row.name!r}, shown only now:", f"  {key}")

    @_command(group, "list", "flask --app app key list")
    def list_(as_json: bool) -> None:
        """List all keys."""
        rows = [{"name": row.name, "created_at": _iso(row.created_at)} for row in registry.api_keys()]
        _table(as_json, rows, "No key yet; add one: flask --app app key add NAME")

    @_command(group, "revoke", "flask --app app key revoke zapier")
    @click.argument("name")
    def revoke(name: str, as_json: bool) -> None:
        """Revoke a key; it is refused from now on."""
        registry.revoke_key(name)
        _print(as_json, {"name": name}, f"The key {name!r} is revoked.")

    return group


def _events(registry: Registry, store: Store, settings: Settings) -> AppGroup:
    group = _group("event", "Events of your own making.", "flask --app app event send --location Office "
                   "--type incoming_call --status ringing")  # fmt: skip

    @_command(
        group, "send", "flask --app app event send --location Office --type incoming_call --status ringing"
    )
    @click.option("--location", required=True, help="The location's name.")
    @click.option("--type", "type_", required=True, type=click.Choice(list(EVENT_TYPES)))
    @click.option("--status", help=f"{', '.join(CALL_STATUSES)}; for calls.")
    @click.option("--thread", help="The thread_id: events of one call share it.")
    def send(location: str, type_: str, status: str | None, thread: str | None, as_json: bool) -> None:
        """Send an event through the same way as a PBX's."""
        fields = sample_event("call" if type_ in CALL_TYPES else "media", type_, None)
        fields.pop("subtype", None)
        if status:
            fields["subtype"] = status
        if thread:
            fields["thread_id"] = thread
        found = next((one for one in registry.locations() if one.name == location), None)
        if found is None:
            raise SpokeError(f"There is no location {location!r}.")
        _sent(as_json, _send(store, settings, found.id, fields, "cli", None))

    return group


def sample_event(kind: str, type_: str | None, status: str | None) -> dict[str, Any]:
    """The seed's example, for the type and status chosen; the first of each where any will do."""
    fields: dict[str, Any] = {
        "to": "5010", "from": "+19203833100", "to_name": "Dade Murphy", "from_name": "Clearly IP",
    }  # fmt: skip
    if kind == "call":
        return fields | {"type": type_ or "incoming_call", "subtype": status or "ringing"}
    return fields | {"type": type_ or "voicemail"}


def _send(
    store: Store, settings: Settings, location_id: int, fields: dict[str, Any], origin: str, only: int | None
) -> Accepted:
    waker = Waker(settings)
    accepted = Intake(store, waker).submit(location_id, [make_event(fields)], origin, only)[0]
    waker.wake_now()
    return accepted


def _sent(as_json: bool, sent: Accepted) -> None:
    shown = {"id": sent.id, "deliveries": sent.deliveries}
    _print(as_json, shown, f"Event {sent.id}: {sent.deliveries} deliveries.")


def _password(settings: Settings, store: Store) -> click.Command:
    holder = click.Group()

    @_command(holder, "password", "flask --app app password")
    def password(as_json: bool) -> None:
        """Set the admin's password (asked for, or read from standard input) and end all sessions."""
        if settings.admin_password is not None:
            raise SpokeError("SPOKE_ADMIN_PASSWORD is set and wins; change it there, or unset it first.")
        if sys.stdin.isatty():
            new = click.prompt("New password", hide_input=True, confirmation_prompt=True)
        else:
            new = sys.stdin.readline().rstrip("\n")
        if len(new) < 8:
            raise SpokeError("A password has at least 8 characters.")
        with store.write() as session:
            set_password(session, new)
        _print(as_json, {"user": "admin"}, "The password is set; all sessions have ended.")

    return password
