"""``zoho``: locations that are connected to Zoho PhoneBridge. A person connects on the pages."""

from typing import Any

import click

from webhooks.cli.common import command, iso, new_group, show, table
from webhooks.db.models import ZohoAccount
from webhooks.services.container import services
from webhooks.services.zoho_extensions import by_user

group = new_group(
    "zoho",
    "Locations that are connected to Zoho PhoneBridge. Connect one on the pages: a person logs in at Zoho.",
    "flask --app app zoho status",
)


@command(group, "status", "flask --app app zoho status")
def status(as_json: bool) -> None:
    """Show each connection: how it is, what is wrong, what waits."""
    rows = [_account(account) for account in services().zoho.all()]
    if not as_json:
        rows = [{name: "–" if value in (None, "") else value for name, value in row.items()} for row in rows]
    table(as_json, rows, "No location is connected to Zoho PhoneBridge. Connect one on the main page.")


@command(group, "users", "flask --app app zoho users Office")
@click.argument("location")
@click.option("--read", is_flag=True, help="Ask Zoho for them anew.")
def users(location: str, read: bool, as_json: bool) -> None:
    """List the users of Zoho, each with its extensions."""
    account = services().zoho.by_name(location)
    if read:
        account = services().zoho.read_users(account.location_id)
    own = by_user(account.extensions)
    rows = [{**user, "extensions": own.get(user["zohouser"], "")} for user in account.users]
    table(as_json, rows, f"{location!r} has no users of Zoho yet.")


@command(group, "disconnect", "flask --app app zoho disconnect Office")
@click.argument("location")
def disconnect(location: str, as_json: bool) -> None:
    """Switch PhoneBridge off, forget the grant, drop what is not sent."""
    problem = services().zoho.disconnect(location)
    lines = [f"{location!r} is disconnected from Zoho PhoneBridge."]
    if problem:
        lines.append(f"Zoho may still show it as connected; disable it there as well. {problem}")
    show(as_json, {"location": location, "problem": problem}, *lines)


def _account(account: ZohoAccount) -> dict[str, Any]:
    facts = None
    if account.webhook_id is not None:
        facts = services().webhooks.facts([account.webhook_id])[account.webhook_id]
    return {
        "location": account.location.name, "state": account.state, "data_center": account.data_center,
        "api": account.api_url, "users": len(account.users), "extensions": len(account.extensions),
        "messages": facts.state if facts else None, "waiting": facts.waiting if facts else 0,
        "users_at": iso(account.users_at) if account.users_at else None, "detail": account.detail,
    }  # fmt: skip
