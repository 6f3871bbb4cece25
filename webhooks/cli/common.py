"""Shared by all commands: errors as one sentence, ``--json``, tables, times, secrets, counts."""

import functools
import getpass
import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import click
from flask.cli import AppGroup

from webhooks.audit import by
from webhooks.errors import SpokeError
from webhooks.services.parsing import row_number


class _Id(click.ParamType[int]):
    """A row's number."""

    name = "id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        number = row_number(str(value))
        if not number:
            self.fail(
                f"{str(value)!r} is no id. An id is a whole number such as 17; lists show them.", param, ctx
            )
        return number


class Count(click.IntRange):
    """A whole number within bounds, called so where something else was given."""

    name = "whole number"


ID: Final = _Id()
LIMIT: Final = click.option("--limit", type=Count(1, 1000), default=20, show_default=True,
                            help="How many at most.")  # fmt: skip
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
QUIET = click.option(
    "--quiet", is_flag=True, help="Print only the token, secret or key, for a file or a pipe."
)


def new_group(name: str, help_: str, example: str) -> AppGroup:
    """A group of commands, whose help shows an example."""
    return AppGroup(name, help=f"{help_}\n\n\b\nExample:\n  {example}")


def command(group: click.Group, name: str, example: str) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a function a command of a group; its docstring and the example are the help.

    A domain error becomes one sentence on standard error, and exit status 1.
    """

    def make(function: Callable[..., Any]) -> click.Command:
        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> None:
            if any("\udc80" <= letter <= "\udcff" for text in kwargs.values() for letter in str(text)):
                raise click.UsageError("An argument is not UTF-8. Write it in UTF-8.")
            try:
                with by(f"command line, {_user()}"):
                    function(*args, **kwargs)
            except SpokeError as error:
                click.echo(str(error), err=True)
                sys.exit(1)

        run.__doc__ = f"{function.__doc__}\n\n\b\nExample:\n  {example}"
        return group.command(name)(_JSON(run))

    return make


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user of a container may have no name
        return f"uid {os.getuid()}"


def show(as_json: bool, value: Any, *lines: str) -> None:
    """Print a value as JSON, or its lines for people."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2) if as_json else "\n".join(lines))


def show_secret(as_json: bool, quiet: bool, value: Any, sentence: str, secret: str) -> None:
    """Print a token, secret or key that nobody can read again: in a line of its own, or ``quiet``: alone."""
    people = [secret] if quiet else [f"{sentence} Copy it now. It won't be shown again:", f"  {secret}"]
    show(as_json, value, *people)


def counted(count: int, singular: str, plural: str | None = None) -> str:
    """``1 delivery``, ``2 deliveries``."""
    return f"{count:,} {singular if count == 1 else plural or f'{singular}s'}"


def deliveries(count: int, quality: str = "") -> str:
    """``1 held delivery is``, ``2 held deliveries are``: the subject and verb of a sentence."""
    quality = f"{quality} " if quality else ""
    verb = "is" if count == 1 else "are"
    return f"{counted(count, f'{quality}delivery', f'{quality}deliveries')} {verb}"


def table(as_json: bool, rows: list[dict[str, Any]], empty: str) -> None:
    """Print rows as JSON or as a table with a heading. ``empty`` is what people read if there are none."""
    if as_json or not rows:
        show(as_json, rows, empty)
        return
    columns = list(rows[0])
    cells = [columns, *([str("–" if row[c] is None else row[c]) for c in columns] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    for line in cells:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def moment(text: str) -> datetime:
    """Parse a time as a person writes it: ISO 8601, UTC if it names no zone."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is no ISO 8601 time; write it like 2026-11-24T08:00:00Z"
        ) from None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
