"""``delivery``: deliveries with their attempts; sending one again, or now."""

from typing import Any

import click

from webhooks.catalogue import FILTER_LABELS
from webhooks.cli.common import ID, command, iso, new_group, show, table
from webhooks.cli.waiting import end_by, standing, wait_for_attempt
from webhooks.db.models import Delivery
from webhooks.services.container import services
from webhooks.services.delivery_filter import DeliveryFilter
from webhooks.services.delivery_state import State

group = new_group(
    "delivery", "Deliveries and their attempts.", "flask --app app delivery list --state failed"
)


@command(group, "list", "flask --app app delivery list --webhook 3 --state failing")
@click.option("--webhook", "webhook", type=ID, help="Only deliveries of this webhook.")
@click.option("--state", type=click.Choice(list(FILTER_LABELS)),
              help="Only those in this state; failing: those that are retried or have failed.")  # fmt: skip
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many at most."
)
def list_(webhook: int | None, state: str | None, limit: int, as_json: bool) -> None:
    """List deliveries, newest first."""
    pages = services().delivery_log.pages(DeliveryFilter(webhook=webhook, state=state), limit)
    rows = [_delivery(row, standing(page.facts[row.id])) for page in pages for row in page.rows]
    if not as_json:
        rows = [_short(row) for row in rows]
    table(as_json, rows, "No delivery matches.")


@command(group, "show", "flask --app app delivery show 17")
@click.argument("id_", metavar="ID", type=ID)
def show_(id_: int, as_json: bool) -> None:
    """Show one delivery with every attempt."""
    delivery = services().deliveries.get(id_)
    known = _delivery(delivery, standing(services().deliveries.facts_of(id_)))
    attempts = [
        {"n": attempt.n, "started_at": attempt.started_at.isoformat(timespec="milliseconds"),
         "milliseconds": attempt.milliseconds, "status": attempt.http_status, "error": attempt.error}
        for attempt in delivery.log
    ]  # fmt: skip
    lines = [f"{name}: {value}" for name, value in known.items() if value is not None]
    lines += [
        f"attempt {n}: {made['started_at']}, {made['milliseconds']} ms, {made['error'] or made['status']}"
        for n, made in enumerate(attempts, 1)
    ]
    show(as_json, {**known, "log": attempts}, *lines)


@command(group, "now", "flask --app app delivery now 17")
@click.argument("id_", metavar="ID", type=ID)
def now(id_: int, as_json: bool) -> None:
    """Try a waiting delivery now, whatever it waits for, and tell what came of it.

    Earlier messages of its call go first. The exit status is 0 only if it was delivered.
    """
    before = services().deliveries.now(id_)
    facts = wait_for_attempt(id_, before.attempts)
    state = standing(facts)
    shown = {"id": id_, "state": facts.state, "phase": state.name, "explanation": state.sentence}
    show(as_json, shown, f"Delivery {id_}: {state.word}. {state.sentence}")
    end_by(facts)


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


def _delivery(delivery: Delivery, state: State) -> dict[str, Any]:
    return {
        "id": delivery.id, "event": delivery.event.message_id, "webhook": delivery.webhook_id,
        "type": delivery.type, "status": delivery.subtype or None, "state": delivery.state,
        "phase": state.name, "explanation": state.sentence, "reason": delivery.reason,
        "attempts": delivery.attempts, "next_at": iso(state.until) if state.until else None,
        "accepted_at": iso(delivery.created_at),
    }  # fmt: skip


def _short(row: dict[str, Any]) -> dict[str, Any]:
    """What a line of a terminal holds."""
    names = ("id", "webhook", "type", "status", "attempts", "accepted_at")
    short = {name: "–" if row[name] is None else row[name] for name in names}
    return {**short, "state": row["phase"], "explanation": row["explanation"]}
