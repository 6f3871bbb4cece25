"""A location's token in the lines that a page shows: as the visitor has kept it, or made anew."""

from typing import Any

from flask import redirect, render_template, url_for

from webhooks.db.models import Location
from webhooks.errors import Conflict, Invalid, SpokeError
from webhooks.services.container import services
from webhooks.services.locations import is_token_of
from webhooks.web.ui.page import notice, reveal, revealed


def checked(location: Location, typed: str) -> str:
    """Return the token that the visitor typed. Raises Invalid where it is another location's, or none."""
    token = typed.strip()
    if not is_token_of(location, token):
        raise Invalid(
            f"This is not the token of {location.name}: look whether it was rotated, or make a new one.",
            "token",
        )
    return token


def fill_in(location: Location, typed: str) -> None:
    """Show the lines with a token that the visitor has kept. Raises Invalid where it is another."""
    reveal(f"The token of {location.name}", checked(location, typed), _about(location))


def rotation_page(location: Location, back: str | None = None, error: SpokeError | None = None) -> str:
    """The question before a rotation. ``back``: where to go without one."""
    back = back or url_for("locations.show", location_id=location.id)
    return render_template("locations/rotate.html", location=location, back=back, error=error)


def rotated(location: Location, back: str) -> Any:
    """Rotate the location's token, and show it on the page ``back``."""
    try:
        _, token = services().locations.rotate_token(location.name)
    except Conflict as error:
        return rotation_page(location, back, error), 409
    reveal(f"The new token of {location.name}", token, _about(location))
    notice("The old token is accepted for 24 hours. Enter the new one at the PBX in that time.")
    return redirect(back, 303)


def in_lines(location: Location) -> dict[str, object]:
    """Return a template's ``revealed``, and the ``token`` of its lines: TOKEN where none is to be shown."""
    shown = revealed(_about(location))
    return {"revealed": shown, "token": shown["secret"] if shown else "TOKEN"}


def _about(location: Location) -> str:
    return f"location {location.id}"
