"""``password``: set the admin's password."""

import sys

import click
from flask.cli import AppGroup

from webhooks.cli.common import command, show
from webhooks.services.container import services

_HOLDER = AppGroup()  # runs its commands in the app context


@command(_HOLDER, "password", "flask --app app password")
def password(as_json: bool) -> None:
    """Set the admin's password and end all sessions. It is asked for, or read from standard input."""
    services().password.check_changeable()
    if sys.stdin.isatty():
        new = click.prompt("New password", hide_input=True, confirmation_prompt=True)
    else:
        new = sys.stdin.readline().rstrip("\n")
    services().password.change(new, "all sessions have ended")
    show(as_json, {"user": "admin"}, "The password is set, and all sessions have ended. Log in with it.")
