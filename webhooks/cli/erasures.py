"""``erase``: all of a call or of a number, for good. It counts first, and asks."""

import click
from flask.cli import AppGroup

from webhooks.cli.common import command, show
from webhooks.cli.progress import run_job
from webhooks.db.models import Erasure
from webhooks.errors import Conflict, NotFound
from webhooks.services.container import services
from webhooks.services.erasures import Match

_HOLDER = AppGroup()  # runs its commands in the app context


@command(_HOLDER, "erase", "flask --app app erase --number '+1 920 383 3100'")
@click.option("--thread", help="A call's thread_id, whole.")
@click.option("--number", help="A number, whole, in any spelling.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(thread: str | None, number: str | None, yes: bool, as_json: bool) -> None:
    """Erase one call, or all calls of one number: events, deliveries, attempts and recordings.

    It tells first how many events those are, and which other numbers end alike and stay. Cut off, it is
    gone on with by the appliance. Test inboxes are emptied as well.
    """
    erasures = services().erasures
    if (thread is None) == (number is None):
        raise click.UsageError("Give either --thread or --number.")
    _tell(erasures.preview(thread_id=thread, number=number), erasures.all_indexed or number is None)
    if not yes and not click.confirm("Erase them for good?", err=True):
        raise Conflict("Nothing was erased.")
    done = run_job(erasures, erasures.begin(thread_id=thread, number=number), "Erasing")
    counts = {"events": done.events, "deliveries": done.deliveries, "attempts": done.attempts,
              "media": done.media}  # fmt: skip
    show(as_json, counts, _sentence(done))


def _tell(found: list[Match], knows_all: bool) -> None:
    """On standard error: what is there to go, and what ends alike and stays.

    Raises:
        NotFound: there is nothing to go.
    """
    taken = [match for match in found if match.taken]
    left = [match for match in found if not match.taken]
    alike = "".join(f"\n  {_line(match)}" for match in left)
    if not knows_all:
        click.echo(
            "Not all events are looked through for their numbers yet: there may be more than are counted "
            "here. An erasure waits for that and takes them all.",
            err=True,
        )
    elif not taken:
        ends = f" These end alike; give the one that is meant:{alike}" if left else ""
        raise NotFound(f"No event has this call or number; it has to be given whole.{ends}")
    for match in taken:
        click.echo(f"To be erased: {_line(match)}", err=True)
    if left:
        click.echo(f"These end alike and stay; each can be erased by itself:{alike}", err=True)


def _line(match: Match) -> str:
    written = f", written {'; '.join(match.spellings)}" if match.spellings else ""
    return f"{match.what}: {match.many}{written}"


def _sentence(counts: Erasure) -> str:
    return (
        f"Erased: {counts.events} events, {counts.deliveries} deliveries with {counts.attempts} attempts, "
        f"{counts.media} recordings." + (" Test inboxes were emptied." if counts.events else "")
    )
