"""``pbx``: phone systems that the appliance is connected to."""

import signal
import sys
import threading
from pathlib import Path
from typing import Any

import click

from webhooks.cli.common import command, counted, iso, new_group, show, table
from webhooks.cli.pbx_options import with_site_options
from webhooks.db.models import PbxConnection
from webhooks.services.container import services
from webhooks.services.parsing import parse
from webhooks.services.pbx import account_of, place_of
from webhooks.services.pbx_recorder import record as record_to
from webhooks.services.pbx_systems import SYSTEMS

group = new_group(
    "pbx", "Phone systems that the appliance is connected to.", "flask --app app pbx connect Office asterisk "
    "--host 192.0.2.10 --user spoke",
)  # fmt: skip
_CONNECT = "flask --app app pbx connect Office asterisk --host 192.0.2.10 --user spoke"


@command(group, "connect", _CONNECT)
@click.argument("location")
@click.argument("system", type=click.Choice(list(SYSTEMS)))
@click.option("--host", required=True, help="Its name or address.")
@click.option("--port", type=int, help="Its port.  [default: 5038 of Asterisk, 8021 of FreeSWITCH]")
@click.option("--user", help="The manager's user, at Asterisk.")
@click.option("--tls", is_flag=True, help="Speak TLS.")
@click.option("--ca", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="PEM file of the only certificate to trust.")  # fmt: skip
@with_site_options
def connect(
    location: str, system: str, as_json: bool, ca: Path | None, country: str | None, **given: Any
) -> None:
    """Connect a location to a phone system, or change how. The secret is asked for, or read from stdin.

    --country is the location's, for all its phone systems; left out, it stays as it is.
    """
    kind = SYSTEMS[system]
    if sys.stdin.isatty():
        secret = click.prompt(kind.secret, hide_input=True)
    else:
        secret = sys.stdin.readline().rstrip("\r\n")
    values = {name: value for name, value in given.items() if value is not None}
    values |= {"secret": secret or None, "ca": ca.read_text() if ca else None}
    connection = parse(kind.form, values)
    if country is not None:
        services().phone_systems.set_country(services().locations.by_name(location).id, country)
    row = services().pbx.connect(location, connection)
    made = f"{location!r} is being connected to {kind.title} at {place_of(row)}. See how it is:"
    show(as_json, _connection(row), made, "  flask --app app pbx status")


@command(group, "status", "flask --app app pbx status")
def status(as_json: bool) -> None:
    """Show each connection: since when, its last event, and what is wrong."""
    rows = [_connection(row) for row in services().pbx.all()]
    if not as_json:
        rows = [{name: "–" if value is None else value for name, value in row.items()} for row in rows]
    table(as_json, rows, f"No phone system is connected. Connect one: {_CONNECT}")


@command(group, "record", "flask --app app pbx record Office day.jsonl")
@click.argument("location")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--seconds", type=click.FloatRange(min=0.1), help="End by itself.  [default: Ctrl-C ends it]")
def record(location: str, file: Path, seconds: float | None, as_json: bool) -> None:
    """Keep what a location's phone system says, for pbx replay. It goes on until Ctrl-C."""
    row = services().pbx.by_name(location)
    account = account_of(row)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    if seconds is not None:
        timer = threading.Timer(seconds, stop.set)
        timer.daemon = True
        timer.start()
    count = record_to(SYSTEMS[row.system], account, file, stop)
    show(as_json, {"file": str(file), "messages": count}, f"{counted(count, 'message')} in {file}. It has "
         "callers' numbers in it: keep it to yourself.")  # fmt: skip


@command(group, "disconnect", "flask --app app pbx disconnect Office")
@click.argument("location")
def disconnect(location: str, as_json: bool) -> None:
    """Take a location's connection away, with its secret. Its webhooks stay."""
    row = services().pbx.disconnect(location)
    show(
        as_json,
        {"location": location, "system": row.system},
        f"{location!r} is disconnected from {SYSTEMS[row.system].title} at {place_of(row)}.",
    )


def _connection(row: PbxConnection) -> dict[str, Any]:
    now = services().pbx.condition(row)
    return {
        "location": row.location.name, "system": row.system, "at": place_of(row), "state": now.state,
        "since": now.since_at and iso(now.since_at),
        "last_event": now.last_event_at and iso(now.last_event_at),
        "events": row.events, "detail": now.detail,
    }  # fmt: skip
