"""``media``: recordings that are kept."""

import threading
from typing import Any

import click

from webhooks.cli.common import command, iso, new_group, show, table
from webhooks.retention import media_cleanup
from webhooks.services.container import services
from webhooks.services.recordings import RecordingInfo
from webhooks.services.secret_key import rotate_secret_key

group = new_group("media", "Recordings that are kept.", "flask --app app media list")


@command(group, "list", "flask --app app media list --state failed")
@click.option("--state", type=click.Choice(["waiting", "ready", "failed", "erased"]))
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
def list_(state: str | None, limit: int, as_json: bool) -> None:
    """List recordings, newest first."""
    found = [_recording(one) for one in services().recordings.latest(limit, state=state)]
    table(as_json, found, "No such recording.")


@command(group, "link", "flask --app app media link ad1c5ba3-9f9b-454d-b4b1-cfb592bb8fd9")
@click.argument("id_", metavar="ID")
def link(id_: str, as_json: bool) -> None:
    """Make a download link; it lives as long as those that are sent."""
    made = services().recordings.fresh_link(id_)
    show(as_json, {"id": id_, "link": made}, made)


@command(group, "sweep", "flask --app app media sweep")
def sweep(as_json: bool) -> None:
    """Do now what housekeeping does each minute: remove files without an event, keep within the space."""
    never = threading.Event()
    media_cleanup.look_after(services().settings, services().store, never)
    show(as_json, {"done": True}, "The media folder is in order.")


@command(group, "rotate-key", "flask --app app media rotate-key")
def rotate(as_json: bool) -> None:
    """Sign links and seal secrets with a new key; links already sent live on until they expire."""
    former = rotate_secret_key(services().settings, services().store)
    show(as_json, {"former_keys": former},
         "Links are signed with a new key from now on. Restart to end all sessions as well.")  # fmt: skip


def _recording(one: RecordingInfo) -> dict[str, Any]:
    return {"id": one.id, "event": one.event_id, "state": one.state, "filename": one.filename,
            "size": one.size, "seconds": one.seconds, "channels": one.channels, "reason": one.sentence,
            "accepted_at": iso(one.created_at)}  # fmt: skip
