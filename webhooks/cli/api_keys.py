"""``key``: keys for the HTTP API."""

import click

from webhooks.cli.common import QUIET, command, iso, new_group, show, show_secret, table
from webhooks.services.api_keys import KeyInput
from webhooks.services.container import services
from webhooks.services.parsing import parse

group = new_group("key", "Keys for the HTTP API.", "flask --app app key add zapier")


@command(group, "add", "flask --app app key add zapier")
@click.argument("name")
@click.option("--read-only", is_flag=True, help="A key that can read everything and change nothing.")
@QUIET
def add(name: str, read_only: bool, quiet: bool, as_json: bool) -> None:
    """Add a key and print it. It is not shown again."""
    row, key = services().api_keys.add(parse(KeyInput, {"name": name, "read_only": read_only}))
    show_secret(as_json, quiet, {"name": row.name, "key": key}, f"The key {row.name!r} is added.", key)


@command(group, "list", "flask --app app key list")
def list_(as_json: bool) -> None:
    """List all keys, with what they may do and when they were last used."""
    rows = [
        {"name": row.name, "scope": row.scope, "created_at": iso(row.created_at),
         "last_used_at": iso(row.last_used_at) if row.last_used_at else None}
        for row in services().api_keys.all()
    ]  # fmt: skip
    if not as_json:
        rows = [{**row, "last_used_at": row["last_used_at"] or "never"} for row in rows]
    table(as_json, rows, "No key yet. Add one: flask --app app key add NAME")


@command(group, "revoke", "flask --app app key revoke zapier")
@click.argument("name")
def revoke(name: str, as_json: bool) -> None:
    """Revoke a key. Requests with it are refused at once."""
    services().api_keys.revoke(name)
    show(as_json, {"name": name}, f"The key {name!r} is revoked; requests with it are refused.")
