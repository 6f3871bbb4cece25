"""``webhook``: which events are sent where, and how."""

from datetime import UTC, datetime
from typing import Any, Final

import click

from webhooks.catalogue import CALL_STATUSES, EVENT_TYPES
from webhooks.cli.common import (
    ID,
    QUIET,
    command,
    counted,
    deliveries,
    iso,
    moment,
    new_group,
    show,
    show_secret,
    table,
)
from webhooks.cli.options import given_options, with_options
from webhooks.cli.replays import run_replay
from webhooks.cli.waiting import end_by, standing, wait_for_attempt
from webhooks.db.models import Webhook
from webhooks.outbound.options import Options
from webhooks.outbox.replay import DEFAULT, RESENDABLE
from webhooks.services.container import services
from webhooks.services.integrations import ZOHO
from webhooks.services.parsing import parse
from webhooks.services.replays import ReplayInput
from webhooks.services.webhook_input import WebhookInput
from webhooks.services.webhook_state import WebhookFacts, webhook_state

_COLUMNS: Final = (
    "id", "description", "location", "kind", "types", "statuses", "url", "state", "health", "explanation",
)  # fmt: skip


group = new_group("webhook", "Webhooks: which events are sent where.", "flask --app app webhook list")
_types = click.option("--type", "types", multiple=True,
                      help=f"{', '.join(EVENT_TYPES)}, or any; may be repeated.")  # fmt: skip
_statuses = click.option("--status", "statuses", multiple=True,
                         help=f"{', '.join(CALL_STATUSES)}, or any; may be repeated.")  # fmt: skip


@command(group, "add", "flask --app app webhook add --location Office --kind call "
          "--type incoming_call --status missed --url https://crm.example/hook")  # fmt: skip
@click.option("--location", required=True, help="The location's name.")
@click.option("--kind", required=True, type=click.Choice(["call", "media"]), help="Calls, or recordings.")
@_types
@_statuses
@click.option("--url", required=True, help="The receiver's address.")
@click.option("--description", default="", help="A note for people.")
@with_options
@QUIET
def add(
    location: str,
    kind: str,
    types: tuple[str, ...],
    statuses: tuple[str, ...],
    url: str,
    description: str,
    quiet: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Add a webhook and print its secret, which is not shown again. Types or statuses left out are any."""
    given = {"kind": kind, "types": _chosen(types), "statuses": _chosen(statuses), "url": url,
             "description": description}  # fmt: skip
    wanted = parse(WebhookInput, {**given, "options": given_options(options)})
    webhook = services().webhooks.add(location, wanted)
    shown = {"id": webhook.id, "kind": kind, "types": webhook.types, "statuses": webhook.statuses, "url": url,
             "secret": webhook.secret}  # fmt: skip
    sentence = f"Webhook {webhook.id} is added; its receiver verifies signatures with this secret."
    show_secret(as_json, quiet, shown, sentence, webhook.secret)


@command(group, "list", "flask --app app webhook list --json")
def list_(as_json: bool) -> None:
    """List all webhooks."""
    webhooks = [one for one in services().webhooks.all() if one.integration != ZOHO.name]
    facts = services().webhooks.facts([webhook.id for webhook in webhooks])
    rows = [{**_webhook(webhook), **_health(facts[webhook.id])} for webhook in webhooks]
    if not as_json:
        rows = [_for_people(row) for row in rows]
    table(as_json, rows, "No webhook yet. See how to add one: flask --app app webhook add --help")


@command(group, "edit", "flask --app app webhook edit 3 --url https://crm.example/new")
@click.argument("id_", metavar="ID", type=ID)
@_types
@_statuses
@click.option("--url", help="The receiver's address.")
@click.option("--description", help="A note for people.")
@click.option("--reset", multiple=True, type=click.Choice(list(Options.model_fields)),
              help="Set an option back to its default; may be repeated.")  # fmt: skip
@with_options
def edit(
    id_: int,
    as_json: bool,
    types: tuple[str, ...],
    statuses: tuple[str, ...],
    url: str | None,
    description: str | None,
    reset: tuple[str, ...],
    **options: Any,
) -> None:
    """Change a webhook. What is not given stays."""
    given = {"types": _chosen(types) if types else None, "statuses": _chosen(statuses) if statuses else None,
             "url": url, "description": description}  # fmt: skip
    wanted: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    wanted["options"] = {**dict.fromkeys(reset), **given_options(options)}
    show(as_json, _webhook(services().webhooks.edit(id_, wanted)), f"Webhook {id_} is changed.")


@command(group, "pause", "flask --app app webhook pause 3")
@click.argument("id_", metavar="ID", type=ID)
def pause(id_: int, as_json: bool) -> None:
    """Hold a webhook's deliveries until it is resumed."""
    held = services().webhooks.pause(id_)
    show(
        as_json,
        {"id": id_, "state": "paused", "held": held},
        f"Webhook {id_} is paused; {deliveries(held)} held.",
    )


@command(group, "resume", "flask --app app webhook resume 3 --drop-held")
@click.argument("id_", metavar="ID", type=ID)
@click.option("--drop-held", is_flag=True, help="Drop held deliveries instead of sending them.")
def resume(id_: int, drop_held: bool, as_json: bool) -> None:
    """Resume a webhook and send its held deliveries."""
    moved = services().webhooks.resume(id_, drop_held=drop_held)
    done = "dropped" if drop_held else "sent"
    show(
        as_json,
        {"id": id_, "state": "active", done: moved},
        f"Webhook {id_} is active; {deliveries(moved, 'held')} {done}.",
    )


@command(group, "delete", "flask --app app webhook delete 3")
@click.argument("id_", metavar="ID", type=ID)
def delete(id_: int, as_json: bool) -> None:
    """Delete a webhook. Unsent deliveries are dropped; the history stays."""
    dropped = services().webhooks.delete(id_)
    show(
        as_json,
        {"id": id_, "dropped": dropped},
        f"Webhook {id_} is deleted; {deliveries(dropped, 'unsent')} dropped.",
    )


@command(group, "rotate", "flask --app app webhook rotate 3")
@click.argument("id_", metavar="ID", type=ID)
@click.option("--now", "at_once", is_flag=True, help="Sign with the new secret alone, as after a leak.")
@QUIET
def rotate(id_: int, at_once: bool, quiet: bool, as_json: bool) -> None:
    """Replace a webhook's secret. The old secret signs for 24 hours as well."""
    webhook = services().webhooks.rotate_secret(id_, at_once=at_once)
    old = f"signs as well until {iso(webhook.both_until)}" if webhook.both_until else "no longer signs"
    sentence = f"Webhook {id_} has a new secret; the old one {old}."
    show_secret(as_json, quiet, {"id": id_, "secret": webhook.secret}, sentence, webhook.secret)


@command(group, "test", "flask --app app webhook test 3")
@click.argument("id_", metavar="ID", type=ID)
def test(id_: int, as_json: bool) -> None:
    """Send a test event to this webhook only, and tell what came of it.

    The exit status is 0 only if the receiver took it.
    """
    sent = services().events.send_test(id_)
    delivery = services().deliveries.of_event(id_, sent.id)
    facts = wait_for_attempt(delivery.id, 0)
    made = services().deliveries.get(delivery.id).log
    last = made[-1] if made else None
    state = standing(facts)
    shown = {"id": sent.id, "deliveries": sent.deliveries, "delivery": delivery.id,
             "delivered": facts.state == "delivered", "status": last.http_status if last else None,
             "milliseconds": last.milliseconds if last else None, "explanation": state.sentence}  # fmt: skip
    what_next = []
    if facts.state == "pending":
        what_next.append(f"Do not wait: flask --app app delivery now {delivery.id}")
    answered = (
        f"{last.http_status} in {last.milliseconds} ms." if last and shown["delivered"] else state.sentence
    )
    show(as_json, shown, f"Test of webhook {id_}: {state.word}. {answered}", *what_next)
    end_by(facts)


@command(group, "now", "flask --app app webhook now 3")
@click.argument("id_", metavar="ID", type=ID)
def now(id_: int, as_json: bool) -> None:
    """Try all deliveries that wait now, past back-off, circuit breaker and Retry-After.

    While the webhook fails one goes first, and the others follow if it is delivered. The command tells what
    became of that one; the exit status is 0 only if it was delivered, or nothing waits.
    """
    waiting, first = services().webhooks.now(id_)
    shown: dict[str, Any] = {"id": id_, "waiting": waiting, "delivery": first.id if first else None}
    tried = f"Webhook {id_}: {deliveries(waiting, 'waiting')} tried now."
    if first is None:
        show(as_json, shown, tried)
        return
    facts = wait_for_attempt(first.id, first.attempts)
    state = standing(facts)
    shown |= {"state": facts.state, "phase": state.name, "explanation": state.sentence}
    what = f"Delivery {first.id} went first: {state.word}. {state.sentence}"
    show(as_json, shown, tried, what, "How the others fare: flask --app app webhook list")
    end_by(facts)


@command(group, "replay", "flask --app app webhook replay 3 --since 2026-11-24T08:00:00+01:00 --preview")
@click.argument("id_", metavar="ID", type=ID)
@click.option("--since", required=True, type=moment, metavar="TIME",
              help="Start, as ISO 8601; UTC if it names no zone.")  # fmt: skip
@click.option("--until", type=moment, metavar="TIME", help="End, as ISO 8601. Left out: now.")
@click.option("--state", "states", multiple=True, type=click.Choice(RESENDABLE), default=list(DEFAULT),
              show_default=True, help="Deliveries in this state; may be repeated.")  # fmt: skip
@click.option("--preview", is_flag=True, help="Only count them.")
def replay(
    id_: int, since: str, until: str | None, states: tuple[str, ...], preview: bool, as_json: bool
) -> None:
    """Send again the deliveries that were accepted in a span of time and failed, or wait for a retry."""
    given = {"since": since, "until": until, "states": states}
    wanted = parse(ReplayInput, given)
    if preview:
        count = services().replays.count(id_, wanted)
        show(
            as_json,
            {"id": id_, "matching": count},
            f"{counted(count, 'delivery', 'deliveries')} would be sent again.",
        )
        return
    done = run_replay(services().replays.begin(id_, wanted))
    show(
        as_json,
        {"id": id_, "replay": done.id, "state": done.state, "resent": done.done},
        f"Webhook {id_}: {deliveries(done.done)} sent again.",
    )


def _chosen(words: tuple[str, ...]) -> tuple[str, ...]:
    """The words of a repeated option; the one word "any" is none."""
    return () if words == ("any",) else words


def _for_people(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the table: several words as people list them, and a dash for what there is not."""
    texts = {name: ", ".join(row[name]) or "any" for name in ("types", "statuses")}
    texts["description"] = row["description"][:40]
    if row["kind"] == "media":
        texts["statuses"] = "–"
    return {name: texts.get(name) or row[name] or "–" for name in _COLUMNS}


def _health(facts: WebhookFacts) -> dict[str, Any]:
    now = webhook_state(facts, datetime.now(UTC), iso)
    return {"health": now.word.lower(), "explanation": now.sentence, "waiting": facts.waiting}


def _webhook(webhook: Webhook) -> dict[str, Any]:
    return {
        "id": webhook.id, "location": webhook.location.name, "kind": webhook.kind, "types": webhook.types,
        "statuses": webhook.statuses, "url": webhook.url, "description": webhook.description,
        "state": webhook.state, "reason": webhook.reason,
        "options": Options.model_validate(webhook.options).shown(), "created_at": iso(webhook.created_at),
    }  # fmt: skip
