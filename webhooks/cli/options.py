"""A webhook's options as options of a command line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from webhooks.errors import Invalid
from webhooks.outbound.options import read_headers

_FLAGS = (
    click.option("--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="A further header."),
    click.option("--concurrency", type=int, help="Requests at the same time.  [default: 8]"),
    click.option("--rate", type=float, help="Requests a second.  [default: no limit]"),
    click.option("--timeout", type=float, help="Seconds for an attempt.  [default: SPOKE_TIMEOUT]"),
    click.option("--max-age", type=int, help="Seconds after which a delivery expires.  [default: none]"),
    click.option("--ca", type=click.Path(exists=True, dir_okay=False, path_type=Path),
                 help="PEM file of the only authority to trust."),
    click.option("--client-certificate", type=click.Path(exists=True, dir_okay=False, path_type=Path),
                 help="PEM file of the certificate that the receiver asks for."),
    click.option("--client-key", type=click.Path(exists=True, dir_okay=False, path_type=Path),
                 help="PEM file of its key, without a password."),
    click.option("--verify/--no-verify", default=None,
                 help="Verify the receiver's certificate.  [default: verify]"),
)  # fmt: skip


def with_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a command with the options of a webhook, keyword arguments for ``given_options``."""
    for flag in reversed(_FLAGS):
        function = flag(function)
    return function


def given_options(values: dict[str, Any]) -> dict[str, Any]:
    """Select the options that were given, as values for ``outbound.options.Options``."""
    given = {name: value for name, value in values.items() if value not in (None, ())}
    if "headers" in given:
        try:
            given["headers"] = read_headers(given["headers"])
        except Invalid as error:  # wrong usage, as for an option that is no number
            raise click.BadParameter(str(error), param_hint="--header") from None
    return {
        name: value.read_text(errors="replace") if isinstance(value, Path) else value
        for name, value in given.items()
    }
