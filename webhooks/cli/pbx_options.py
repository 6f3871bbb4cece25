"""What differs between sites of live phone systems, as options of a command line."""

from collections.abc import Callable
from typing import Any, Final

import click

_FLAGS: Final = (
    click.option("--internal-numbers", help="Lengths and patterns, such as 2-6,50XX.  [default: 2-6]"),
    click.option(
        "--outgoing-prefixes", help="Digits for a line outside, or none, at Asterisk.  [default: 9]"
    ),
    click.option("--trunks", help="Names of endpoints, or of SIP profiles, that lead outside."),
    click.option("--trunk-contexts", help="Contexts of calls from outside; may end in *."),
    click.option("--internal-calls", is_flag=True, help="Tell of calls between internal numbers too."),
    click.option("--country", help="Two letters: read numbers by this country, write them in E.164."),
)


def with_site_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a command with these options; those that were left out are None."""
    for flag in reversed(_FLAGS):
        function = flag(function)
    return function
