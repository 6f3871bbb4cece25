"""``delivery`` and ``replay``: what was sent, and sending it again."""

import sys
from typing import Any

import click
from click.termui import progressbar

from webhooks.catalogue import STATES
from webhooks.cli.common import ID, command, iso, new_group, show, table
from webhooks.db.models import Delivery, Replay
from webhooks.outbox.wakeup import Waker
from webhooks.services.container import services
from webhooks.services.deliveries import Deliveries
from webhooks.settings import Settings

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
    Waker(settings).wake_now()
    show(as_json, {"id": id_, "state": found.state}, f"Delivery {id_} is {found.state} again.")


replays = new_group(
    "replay", "Replays that were begun: progress, pause, cancel.", "flask --app app replay list"
)


@command(replays, "list", "flask --app app replay list")
def list_(as_json: bool) -> None:
    """List replays, newest first."""
    table(as_json, [_replay(one) for one in services().replays.latest()],
          "No replay yet; begin one: flask --app app webhook replay --help")  # fmt: skip


@command(replays, "pause", "flask --app app replay pause 2")
@click.argument("id_", metavar="ID", type=ID)
def pause(id_: int, as_json: bool) -> None:
    """Stop a replay for now; what it has sent on is sent."""
    show(as_json, _replay(services().replays.move(id_, "pause")), f"Replay {id_} is paused.")


@command(replays, "resume", "flask --app app replay resume 2")
@click.argument("id_", metavar="ID", type=ID)
def resume(id_: int, as_json: bool) -> None:
    """Go on with a paused replay."""
    done = run_replay(history, settings, services().replays.move(id_, "resume"))
    show(as_json, _replay(done), f"Replay {id_} is {done.state}: {done.done} sent again.")


@command(replays, "cancel", "flask --app app replay cancel 2")
@click.argument("id_", metavar="ID", type=ID)
def cancel(id_: int, as_json: bool) -> None:
    """End a replay; what it has sent on is sent."""
    show(as_json, _replay(services().replays.move(id_, "cancel")), f"Replay {id_} is cancelled.")


def run_replay(history: Deliveries, settings: Settings, begun: Replay) -> Replay:
    """Do a replay, showing its progress; if this process ends, housekeeping goes on with it."""
    waker = Waker(settings)
    done = begun
    with progressbar(length=begun.total or 1, label=f"Replay {begun.id}", file=sys.stderr) as bar:
        while done.state == "running":
            before, done = done.done, services().replays.step(begun.id)
            bar.update(done.done - before)
            waker.wake_now()
    return done


def _delivery(one: Delivery) -> dict[str, Any]:
    return {
        "id": one.id, "event": one.event.message_id, "webhook": one.webhook_id, "type": one.type,
        "status": one.subtype or None, "state": one.state, "reason": one.reason, "attempts": one.attempts,
        "accepted_at": iso(one.created_at),
    }  # fmt: skip


def _replay(one: Replay) -> dict[str, Any]:
    return {"id": one.id, "webhook": one.webhook_id, "state": one.state, "total": one.total,
            "done": one.done, "begun_at": iso(one.created_at)}  # fmt: skip
