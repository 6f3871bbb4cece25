"""``delivery``: what was sent, and sending it again."""

from typing import Any

import click

from webhooks.catalogue import STATES
from webhooks.cli.common import ID, command, iso, new_group, show, table
from webhooks.db.models import Delivery
from webhooks.services.container import services

group = new_group(
    "delivery", "What was sent, and what came of it.", "flask --app app delivery list --state failed"
)


@command(group, "list", "flask --app app delivery list --webhook 3 --state failed")
@click.option("--webhook", "webhook_id", type=ID, help="Only this webhook's.")
@click.option("--state", type=click.Choice(list(STATES)), help="Only those in this state.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
def list_(webhook_id: int | None, state: str | None, limit: int, as_json: bool) -> None:
    """List deliveries, newest first."""
    found = services().deliveries.latest(limit, webhook_id=webhook_id, state=state)
    table(as_json, [_delivery(one) for one in found], "No such delivery.")


@command(group, "show", "flask --app app delivery show 17")
@click.argument("id_", metavar="ID", type=ID)
def show_(id_: int, as_json: bool) -> None:
    """Show one delivery with every attempt."""
    found = services().deliveries.get(id_)
    attempts = [
        {"n": one.n, "started_at": one.started_at.isoformat(timespec="milliseconds"),
         "milliseconds": one.milliseconds, "status": one.status, "error": one.error}
        for one in found.log
    ]  # fmt: skip
    lines = [f"{name}: {value}" for name, value in _delivery(found).items()]
    lines += [
        f"attempt {n}: {one['started_at']}, {one['milliseconds']} ms, {one['error'] or one['status']}"
        for n, one in enumerate(attempts, 1)
    ]
    show(as_json, {**_delivery(found), "log": attempts}, *lines)


@command(group, "resend", "flask --app app delivery resend 17")
@click.argument("id_", metavar="ID", type=ID)
def resend(id_: int, as_json: bool) -> None:
    """Send a delivery again, with the same webhook-id."""
    found = services().deliveries.resend(id_)
    show(as_json, {"id": id_, "state": found.state}, f"Delivery {id_} is {found.state} again.")


def _delivery(one: Delivery) -> dict[str, Any]:
    return {
        "id": one.id, "event": one.event.message_id, "webhook": one.webhook_id, "type": one.type,
        "status": one.subtype or None, "state": one.state, "reason": one.reason, "attempts": one.attempts,
        "accepted_at": iso(one.created_at),
    }  # fmt: skip
