"""A webhook's options as options of a command."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

_FLAGS = (
    click.option("--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="A header of its own."),
    click.option("--concurrency", type=int, help="Requests at a time.  [default: 8]"),
    click.option("--rate", type=float, help="Requests a second.  [default: no limit]"),
    click.option("--timeout", type=float, help="Seconds for an attempt.  [default: SPOKE_TIMEOUT]"),
    click.option("--max-age", type=int, help="Seconds after which it is not worth sending.  [default: none]"),
    click.option("--ca", type=click.Path(exists=True, dir_okay=False, path_type=Path),
                 help="A PEM file; only this authority is trusted."),
    click.option("--verify/--no-verify", default=None, help="Whether the certificate is checked."),
)  # fmt: skip


def with_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a webhook, as keyword arguments for ``given_options``."""
    for flag in reversed(_FLAGS):
        function = flag(function)
    return function


def given_options(values: dict[str, Any]) -> dict[str, Any]:
    """Those that were given, for ``outbound.options.Options``."""
    given = {name: value for name, value in values.items() if value not in (None, ())}
    if "ca" in given:
        given["ca"] = given["ca"].read_text(errors="replace")
    return given
