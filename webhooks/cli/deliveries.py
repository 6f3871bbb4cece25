"""``delivery``: deliveries with their attempts, and sending one again."""

from typing import Any

import click

from webhooks.catalogue import STATES
from webhooks.cli.common import ID, command, iso, new_group, show, table
from webhooks.db.models import Delivery
from webhooks.services.container import services

group = new_group(
    "delivery", "Deliveries and their attempts.", "flask --app app delivery list --state failed"
)


@command(group, "list", "flask --app app delivery list --webhook 3 --state failed")
@click.option("--webhook", "webhook_id", type=ID, help="Only deliveries of this webhook.")
@click.option("--state", type=click.Choice(list(STATES)), help="Only deliveries in this state.")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many at most."
)
def list_(webhook_id: int | None, state: str | None, limit: int, as_json: bool) -> None:
    """List deliveries, newest first."""
    latest = services().deliveries.latest(limit, webhook_id=webhook_id, state=state)
    table(as_json, [_delivery(delivery) for delivery in latest], "No delivery matches.")


@command(group, "show", "flask --app app delivery show 17")
@click.argument("id_", metavar="ID", type=ID)
def show_(id_: int, as_json: bool) -> None:
    """Show one delivery with every attempt."""
    delivery = services().deliveries.get(id_)
    attempts = [
        {"n": attempt.n, "started_at": attempt.started_at.isoformat(timespec="milliseconds"),
         "milliseconds": attempt.milliseconds, "status": attempt.http_status, "error": attempt.error}
        for attempt in delivery.log
    ]  # fmt: skip
    lines = [f"{name}: {value}" for name, value in _delivery(delivery).items()]
    lines += [
        f"attempt {n}: {made['started_at']}, {made['milliseconds']} ms, {made['error'] or made['status']}"
        for n, made in enumerate(attempts, 1)
    ]
    show(as_json, {**_delivery(delivery), "log": attempts}, *lines)


@command(group, "resend", "flask --app app delivery resend 17")
@click.argument("id_", metavar="ID", type=ID)
def resend(id_: int, as_json: bool) -> None:
    """Send a delivery again, with the same webhook-id."""
    state = services().deliveries.resend(id_).state
    held = "is held: its webhook is paused or disabled. Resume the webhook to send it."
    show(
        as_json,
        {"id": id_, "state": state},
        f"Delivery {id_} {'is sent again.' if state == 'pending' else held}",
    )


def _delivery(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": delivery.id, "event": delivery.event.message_id, "webhook": delivery.webhook_id,
        "type": delivery.type, "status": delivery.subtype or None, "state": delivery.state,
        "reason": delivery.reason, "attempts": delivery.attempts, "accepted_at": iso(delivery.created_at),
    }  # fmt: skip
