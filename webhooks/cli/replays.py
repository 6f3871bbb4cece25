"""``replay``: sending again all of a webhook's deliveries in a span of time."""

from typing import Any

import click

from webhooks.cli.common import ID, command, iso, new_group, show, table
from webhooks.cli.progress import run_job
from webhooks.db.models import Replay
from webhooks.services.container import services

group = new_group(
    "replay", "Replays that were begun: progress, pause, cancel.", "flask --app app replay list"
)


@command(group, "list", "flask --app app replay list")
def list_(as_json: bool) -> None:
    """List replays, newest first."""
    table(as_json, [_replay(one) for one in services().replays.latest(50)],
          "No replay yet; begin one: flask --app app webhook replay --help")  # fmt: skip


@command(group, "pause", "flask --app app replay pause 2")
@click.argument("id_", metavar="ID", type=ID)
def pause(id_: int, as_json: bool) -> None:
    """Stop a replay for now; what it has sent on is sent."""
    show(as_json, _replay(services().replays.move(id_, "pause")), f"Replay {id_} is paused.")


@command(group, "resume", "flask --app app replay resume 2")
@click.argument("id_", metavar="ID", type=ID)
def resume(id_: int, as_json: bool) -> None:
    """Go on with a paused replay."""
    done = run_replay(services().replays.move(id_, "resume"))
    show(as_json, _replay(done), f"Replay {id_} is {done.state}: {done.done} sent again.")


@command(group, "cancel", "flask --app app replay cancel 2")
@click.argument("id_", metavar="ID", type=ID)
def cancel(id_: int, as_json: bool) -> None:
    """End a replay; what it has sent on is sent."""
    show(as_json, _replay(services().replays.move(id_, "cancel")), f"Replay {id_} is cancelled.")


def run_replay(begun: Replay) -> Replay:
    """Do a replay, showing its progress."""
    return run_job(services().replays, begun, f"Replay {begun.id}")


def _replay(one: Replay) -> dict[str, Any]:
    return {"id": one.id, "webhook": one.webhook_id, "state": one.state, "total": one.total,
            "done": one.done, "begun_at": iso(one.created_at)}  # fmt: skip
