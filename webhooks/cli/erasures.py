"""``erase``: erase a call, or all calls of a number, for good. It counts first, and asks."""

import click
from flask.cli import AppGroup

from webhooks.catalogue import counted
from webhooks.cli.common import command, show
from webhooks.cli.progress import run_job
from webhooks.db.models import Erasure
from webhooks.errors import Conflict, NotFound
from webhooks.services.container import services
from webhooks.services.erasures import Match

_HOLDER = AppGroup()  # runs its commands in the app context


@command(_HOLDER, "erase", "flask --app app erase --number '+1 920 383 3100'")
@click.option("--thread", help="The whole thread_id of a call.")
@click.option("--number", help="The whole number, in any spelling.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(thread: str | None, number: str | None, yes: bool, as_json: bool) -> None:
    """Erase one call, or all calls of one number: events, deliveries, attempts and recordings.

    The command first tells how many events it would erase, and which numbers that end alike stay. If it is
    interrupted, the appliance goes on with the erasure. Test inboxes and the lists of refused requests are
    emptied as well.
    """
    erasures = services().erasures
    if (thread is None) == (number is None):
        raise click.UsageError("Give either --thread or --number, not both.")
    _tell(erasures.preview(thread_id=thread, number=number), erasures.all_indexed or number is None)
    if not yes and not click.confirm("Erase them for good?", err=True):
        raise Conflict("Nothing was erased.")
    done = run_job(erasures, erasures.begin(thread_id=thread, number=number), "Erasing")
    counts = {"events": done.events, "deliveries": done.deliveries, "attempts": done.attempts,
              "media": done.media}  # fmt: skip
    show(as_json, counts, _sentence(done))


def _tell(matches: list[Match], knows_all: bool) -> None:
    """Tell on standard error what the erasure takes, and which numbers that end alike it leaves.

    Raises:
        NotFound: there is nothing to erase.
    """
    taken = [match for match in matches if match.taken]
    left = [match for match in matches if not match.taken]
    alike = "".join(f"\n  {_line(match)}" for match in left)
    if not knows_all:
        click.echo(
            "Not all events are indexed by number yet: there may be more than are counted here. An erasure "
            "waits for the index and takes them all.",
            err=True,
        )
    elif not taken:
        ends = f" These end alike; give the whole number:{alike}" if left else ""
        raise NotFound(f"No event has this call or number. Give it whole.{ends}")
    for match in taken:
        click.echo(f"To be erased: {_line(match)}", err=True)
    if left:
        click.echo(f"These end alike and stay; erase each by itself:{alike}", err=True)


def _line(match: Match) -> str:
    written = f", written {'; '.join(match.spellings)}" if match.spellings else ""
    return f"{match.what}: {match.many}{written}"


def _sentence(counts: Erasure) -> str:
    return (
        f"Erased: {counted(counts.events, 'event')}, "
        f"{counted(counts.deliveries, 'delivery', 'deliveries')} with "
        f"{counted(counts.attempts, 'attempt')}, {counted(counts.media, 'recording')}."
        + (" Test inboxes were emptied." if counts.events else "")
    )
