"""``media``: recordings that are kept."""

import sys
import threading
import time
from typing import Any, Final

import click
from click import progressbar
from flask.cli import AppGroup

from webhooks.db import Store
from webhooks.erasures import Erasures
from webhooks.library import Library, Shown
from webhooks.models import Erasure
from webhooks.operate import media_care
from webhooks.operate.commands.common import command, iso, new_group, show, table
from webhooks.operate.prepare import rotate_secret_key
from webhooks.settings import Settings

_PAUSE_SECONDS: Final = 0.1


def group(library: Library, settings: Settings, store: Store) -> AppGroup:
    erasures = Erasures(settings, store)
    group = new_group("media", "Recordings that are kept.", "flask --app app media list")

    @command(group, "list", "flask --app app media list --state failed")
    @click.option("--state", type=click.Choice(["waiting", "ready", "failed", "erased"]))
    @click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
    def list_(state: str | None, limit: int, as_json: bool) -> None:
        """List recordings, newest first."""
        found = [_recording(one) for one in library.latest(limit, state=state)]
        table(as_json, found, "No such recording.")

    @command(group, "link", "flask --app app media link ad1c5ba3-9f9b-454d-b4b1-cfb592bb8fd9")
    @click.argument("id_", metavar="ID")
    def link(id_: str, as_json: bool) -> None:
        """Make a download link; it lives as long as those that are sent."""
        made = library.fresh_link(id_)
        show(as_json, {"id": id_, "link": made}, made)

    @command(group, "erase", "flask --app app media erase --number +19203833100")
    @click.option("--thread", help="A call's thread_id.")
    @click.option("--number", help="A number; the same if its digits are.")
    def erase(thread: str | None, number: str | None, as_json: bool) -> None:
        """Erase one call, or all calls of one number: events, deliveries, attempts and recordings.

        Cut off, it is gone on with by the appliance. Test inboxes are emptied as well.
        """
        if (thread is None) == (number is None):
            raise click.UsageError("Give either --thread or --number.")
        done = erasures.begin(thread_id=thread, number=number)
        with progressbar(length=done.total or 1, label="Erasing", file=sys.stderr) as bar:
            while done.state == "running":
                before = done.events
                done = erasures.step(done.id)
                bar.update(done.events - before)
                if done.events == before and done.state == "running":
                    time.sleep(_PAUSE_SECONDS)  # something is on its way to a receiver
        counts = {"events": done.events, "deliveries": done.deliveries, "attempts": done.attempts,
                  "media": done.media}  # fmt: skip
        show(as_json, counts, _sentence(done))

    @command(group, "sweep", "flask --app app media sweep")
    def sweep(as_json: bool) -> None:
        """Do now what housekeeping does each minute: remove files without an event, keep within the space."""
        never = threading.Event()
        media_care.look_after(settings, store, never)
        show(as_json, {"done": True}, "The media folder is in order.")

    @command(group, "rotate-key", "flask --app app media rotate-key")
    def rotate(as_json: bool) -> None:
        """Sign links with a new key from now on; those already sent live on until they expire."""
        former = rotate_secret_key(settings)
        show(as_json, {"former_keys": former},
             "Links are signed with a new key from now on. Restart to end all sessions as well.")  # fmt: skip

    return group


def _recording(one: Shown) -> dict[str, Any]:
    return {"id": one.id, "event": one.event_id, "state": one.state, "filename": one.filename,
            "size": one.size, "seconds": one.seconds, "channels": one.channels, "reason": one.sentence,
            "accepted_at": iso(one.created_at)}  # fmt: skip


def _sentence(counts: Erasure) -> str:
    return (
        f"Erased: {counts.events} events, {counts.deliveries} deliveries with {counts.attempts} attempts, "
        f"{counts.media} recordings." + (" Test inboxes were emptied." if counts.events else "")
    )
