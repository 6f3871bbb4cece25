"""``pbx replay``: what a recorded stream of a phone system becomes."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import click

from webhooks.cli.common import command, counted
from webhooks.cli.pbx import group
from webhooks.cli.pbx_options import with_site_options
from webhooks.errors import Invalid
from webhooks.pbx.numbers import with_numbers
from webhooks.pbx.recorded import read
from webhooks.services.parsing import Input, parse
from webhooks.services.pbx_systems import SYSTEMS
from webhooks.services.phone_systems import Country

_SYSTEMS: Final = tuple(SYSTEMS)


class _Numbers(Input):
    """How the recorded system's numbers are read, as those of a location would be."""

    country: Country = ""


@command(group, "replay", "flask --app app pbx replay day.jsonl")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--system",
    type=click.Choice(_SYSTEMS),
    default=_SYSTEMS[0],
    show_default=True,
    help="Whose stream it is.",
)
@with_site_options
def replay(file: Path, system: str, as_json: bool, **given: Any) -> None:
    """Print the events that a recorded stream becomes, one a line, as JSON. Nothing is sent.

    A line of FILE with "event": [[key, value], …] is a message as it came, "ms" its time of arrival; other
    lines are passed over. Calls that are open at the end are counted on standard error.
    """
    kind = SYSTEMS[system]
    values = {name: value for name, value in given.items() if value is not None}
    numbers = parse(_Numbers, {name: values.pop(name) for name in ("country",) if name in values})
    options = kind.dialect.options.model_validate({"source": "replay", **parse(kind.site, values).options()})
    # A recording may hold names that are not UTF-8; they are shown, not refused.
    with file.open(encoding="utf-8", errors="replace") as lines:
        translator = kind.dialect.translator(options)
        at = None
        for at, fields in read(lines, kind.dialect.began_at):
            for event in translator.feed(fields, at):
                click.echo(json.dumps(with_numbers(event, numbers.country), ensure_ascii=False))
    if at is None:
        raise Invalid(f'{file} has no message of {system}: no line has an "event" that is a list of pairs.')
    left_open = translator.lost(at + timedelta(seconds=1))
    if left_open:
        click.echo(f"{counted(len(left_open), 'call')} open at the end of the recording.", err=True)
