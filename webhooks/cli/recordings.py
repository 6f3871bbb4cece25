"""``media``: recordings and their links."""

import threading
from typing import Any

import click

from webhooks.cli.common import LIMIT, command, iso, new_group, show, table
from webhooks.retention import media_cleanup
from webhooks.services.container import services
from webhooks.services.recordings import RecordingInfo
from webhooks.services.secret_key import rotate_secret_key

group = new_group("media", "Recordings and their links.", "flask --app app media list")


@command(group, "list", "flask --app app media list --state failed")
@click.option("--state", type=click.Choice(["waiting", "ready", "failed", "erased"]),
              help="Only recordings in this state.")  # fmt: skip
@LIMIT
def list_(state: str | None, limit: int, as_json: bool) -> None:
    """List recordings, newest first."""
    rows = [_recording(recording) for recording in services().recordings.latest(limit, state=state)]
    table(as_json, rows, f"No {state} recording." if state else "No recording yet.")


@command(group, "link", "flask --app app media link ad1c5ba3-9f9b-454d-b4b1-cfb592bb8fd9")
@click.argument("id_", metavar="ID")
def link(id_: str, as_json: bool) -> None:
    """Make a download link. It lives as long as the links that receivers get."""
    made = services().recordings.fresh_link(id_)
    show(as_json, {"id": id_, "link": made}, made)


@command(group, "sweep", "flask --app app media sweep")
def sweep(as_json: bool) -> None:
    """Remove files without an event, and the oldest recordings beyond SPOKE_MAX_MEDIA_TOTAL, now.

    Housekeeping does the same each minute.
    """
    never = threading.Event()
    media_cleanup.look_after(services().settings, services().store, never)
    show(as_json, {"done": True}, "The media folder is swept.")


@command(group, "rotate-key", "flask --app app media rotate-key")
def rotate(as_json: bool) -> None:
    """Sign links and encrypt secrets with a new key. Links already sent work until they expire."""
    former = rotate_secret_key(services().settings, services().store)
    show(as_json, {"former_keys": former},
         "Links are signed with a new key. Log-ins end when the appliance is restarted.")  # fmt: skip


def _recording(recording: RecordingInfo) -> dict[str, Any]:
    return {"id": recording.id, "event": recording.event_id, "state": recording.state,
            "filename": recording.filename, "size": recording.size, "seconds": recording.seconds,
            "channels": recording.channels, "reason": recording.sentence,
            "accepted_at": iso(recording.created_at)}  # fmt: skip
