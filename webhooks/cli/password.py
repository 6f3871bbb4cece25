"""``password``: the admin's."""

import sys

import click

from webhooks.audit import record
from webhooks.cli import common
from webhooks.db.store import Store
from webhooks.errors import Conflict, Invalid
from webhooks.services.password import set_password
from webhooks.settings import Settings


def command(settings: Settings, store: Store) -> click.Command:
    holder = click.Group()

    @common.command(holder, "password", "flask --app app password")
    def password(as_json: bool) -> None:
        """Set the admin's password (asked for, or read from standard input) and end all sessions."""
        if settings.admin_password is not None:
            raise Conflict("SPOKE_ADMIN_PASSWORD is set and wins; change it there, or unset it first.")
        if sys.stdin.isatty():
            new = click.prompt("New password", hide_input=True, confirmation_prompt=True)
        else:
            new = sys.stdin.readline().rstrip("\n")
        if len(new) < 8:
            raise Invalid("A password has at least 8 characters.")
        with store.write() as session:
            set_password(session, new)
            record(session.connection(), "admin", "password changed: all sessions have ended")
        common.show(as_json, {"user": "admin"}, "The password is set; all sessions have ended.")

    return password
