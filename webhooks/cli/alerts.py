"""``alert``: what is the matter, and whether somebody is told."""

import sys
from typing import Any, Final

from webhooks.cli.common import command, iso, new_group, show, table
from webhooks.db.models import Matter, Notice
from webhooks.services.container import services

group = new_group("alert", "What is the matter, and whether somebody is told.", "flask --app app alert list")
_WAIT_S: Final = 30.0


@command(group, "list", "flask --app app alert list")
def list_(as_json: bool) -> None:
    """List what is the matter, then what was, the newest first."""
    alerts = services().alerts
    rows = [_matter(row) for row in (*alerts.open(), *alerts.closed())]
    table(as_json, rows, "Nothing is the matter, and nothing was.")


@command(group, "test", "flask --app app alert test")
def test(as_json: bool) -> None:
    """Send a test alert to all that is set on the page Alerts, wait for it, and tell what came of it.

    Exit status 1 if one did not arrive.
    """
    alerts = services().alerts
    notices = alerts.wait(alerts.test(), _WAIT_S)
    show(as_json, [_notice(one) for one in notices], *map(_sentence, notices))
    if any(one.state != "delivered" for one in notices):
        sys.exit(1)


def _matter(row: Matter) -> dict[str, Any]:
    return {
        "id": row.id,
        "kind": row.kind,
        "subject": row.subject,
        "opened_at": iso(row.opened_at),
        "closed_at": iso(row.closed_at) if row.closed_at else "",
        "text": row.text,
    }


def _notice(one: Notice) -> dict[str, Any]:
    return {
        "id": one.id,
        "channel": one.channel,
        "state": one.state,
        "answer": one.answer,
        "error": one.error,
    }


def _sentence(one: Notice) -> str:
    way = "by mail" if one.channel == "mail" else "to the URL"
    if one.state == "delivered":
        return f"The test alert went {way}: {one.answer}"
    if one.state == "failed":
        return f"The test alert did not go {way}: {one.error}"
    return f"The test alert was not sent {way} within {_WAIT_S:.0f} seconds. Look whether the appliance runs."
