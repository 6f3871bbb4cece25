"""``replay``: replays of a webhook's deliveries in a span of time."""

from typing import Any

import click

from webhooks.cli.common import ID, command, deliveries, iso, new_group, show, table
from webhooks.cli.progress import run_job
from webhooks.db.models import Replay
from webhooks.services.container import services

group = new_group("replay", "Replays: progress, pause, resume, cancel.", "flask --app app replay list")


@command(group, "list", "flask --app app replay list")
def list_(as_json: bool) -> None:
    """List replays, newest first."""
    rows = [_replay(replay) for replay in services().replays.latest(50)]
    table(as_json, rows, "No replay yet. Begin one: flask --app app webhook replay ID --since TIME")


@command(group, "pause", "flask --app app replay pause 2")
@click.argument("id_", metavar="ID", type=ID)
def pause(id_: int, as_json: bool) -> None:
    """Pause a replay. Deliveries that it has reached are sent."""
    show(
        as_json,
        _replay(services().replays.move(id_, "pause")),
        f"Replay {id_} is paused. Go on: flask --app app replay resume {id_}",
    )


@command(group, "resume", "flask --app app replay resume 2")
@click.argument("id_", metavar="ID", type=ID)
def resume(id_: int, as_json: bool) -> None:
    """Resume a paused replay."""
    done = run_replay(services().replays.move(id_, "resume"))
    show(as_json, _replay(done), f"Replay {id_} is {done.state}: {deliveries(done.done)} sent again.")


@command(group, "cancel", "flask --app app replay cancel 2")
@click.argument("id_", metavar="ID", type=ID)
def cancel(id_: int, as_json: bool) -> None:
    """Cancel a replay. Deliveries that it has reached are sent."""
    show(as_json, _replay(services().replays.move(id_, "cancel")), f"Replay {id_} is cancelled.")


def run_replay(begun: Replay) -> Replay:
    """Run a replay and show its progress. If this process ends, housekeeping goes on with it."""
    return run_job(services().replays, begun, f"Replay {begun.id}")


def _replay(replay: Replay) -> dict[str, Any]:
    return {"id": replay.id, "webhook": replay.webhook_id, "state": replay.state, "total": replay.total,
            "done": replay.done, "begun_at": iso(replay.created_at)}  # fmt: skip
