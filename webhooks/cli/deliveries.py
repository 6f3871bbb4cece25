"""``delivery``: deliveries with their attempts; sending one again, or now."""

from typing import Any, Final

import click

from webhooks.catalogue import CALL_STATUSES, EVENT_TYPES, FILTER_LABELS
from webhooks.cli.common import ID, LIMIT, command, iso, moment, new_group, show, table
from webhooks.cli.waiting import end_by, standing, wait_for_attempt
from webhooks.db.models import Delivery
from webhooks.services.container import services
from webhooks.services.delivery_filter import DeliveryFilter
from webhooks.services.delivery_state import State
from webhooks.services.parsing import parse

_SHOWN: Final = 200  # characters of an answer

group = new_group(
    "delivery", "Deliveries and their attempts.", "flask --app app delivery list --state failed"
)


@command(group, "list", "flask --app app delivery list --location Office --state failing --since 2026-11-24")
@click.option("--webhook", type=ID, help="Only deliveries of this webhook.")
@click.option("--location", help="Only those of this location's webhooks, by its name.")
@click.option("--state", type=click.Choice(list(FILTER_LABELS)),
              help="Only those in this state; failing: those that are retried or have failed.")  # fmt: skip
@click.option("--type", type=click.Choice(list(EVENT_TYPES)), help="Only events of this type.")
@click.option("--status", type=click.Choice(list(CALL_STATUSES)), help="Only calls with this status.")
@click.option("--thread", "--call", "call", help="Only those of the call with this thread_id.")
@click.option("--number", help="Only those from or to a number that ends so, or a name that has it.")
@click.option("--since", type=moment, metavar="TIME",
              help="Only those accepted since then, as ISO 8601; UTC if it names no zone.")  # fmt: skip
@click.option("--until", type=moment, metavar="TIME", help="Only those accepted before then.")
@LIMIT
def list_(location: str | None, limit: int, as_json: bool, **given: Any) -> None:
    """List deliveries, newest first."""
    wanted = {name: value for name, value in given.items() if value is not None}
    if location is not None:
        wanted["location"] = services().locations.by_name(location).id
    pages = services().delivery_log.pages(parse(DeliveryFilter, wanted), limit)
    rows = [_delivery(row, standing(page.facts[row.id])) for page in pages for row in page.rows]
    if not as_json:
        rows = [_short(row) for row in rows]
    table(as_json, rows, "No delivery matches." if wanted else "No delivery yet.")


@command(group, "show", "flask --app app delivery show 17")
@click.argument("id_", metavar="ID", type=ID)
def show_(id_: int, as_json: bool) -> None:
    """Show one delivery with every attempt."""
    delivery = services().deliveries.get(id_)
    known = _delivery(delivery, standing(services().deliveries.facts_of(id_)))
    attempts = [
        {"n": attempt.n, "started_at": attempt.started_at.isoformat(timespec="milliseconds"),
         "milliseconds": attempt.milliseconds, "status": attempt.http_status, "error": attempt.error,
         "response_body": attempt.response_body}
        for attempt in delivery.log
    ]  # fmt: skip
    lines = [f"{name}: {value}" for name, value in known.items() if value is not None]
    for attempt in delivery.log:
        said = attempt.error or attempt.http_status
        lines.append(f"attempt {attempt.n}: {iso(attempt.started_at)}, {attempt.milliseconds} ms, {said}")
        if attempt.response_body:
            lines.append(f"  answer: {' '.join(attempt.response_body.split())[:_SHOWN]}")
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
