"""A location's token in the lines that a page shows: as the visitor has kept it, or made anew."""

from webhooks.db.models import Location
from webhooks.errors import Invalid
from webhooks.services.container import services
from webhooks.tokens import token_hash
from webhooks.web.ui.page import notice, reveal, revealed


def checked(location: Location, typed: str) -> str:
    """Return the token that the visitor typed. Raises Invalid where it is another location's, or none."""
    token = typed.strip()
    if token_hash(token) != location.token_hash:
        raise Invalid(
            f"This is not the token of {location.name}: look whether it was rotated, or make a new one.",
            "token",
        )
    return token


def fill_in(location: Location, typed: str) -> None:
    """Show the lines with a token that the visitor has kept. Raises Invalid where it is another."""
    reveal(f"The token of {location.name}", checked(location, typed), _about(location))


def make_anew(location: Location) -> None:
    """Rotate the token, and show the lines with the new one."""
    _, token = services().locations.rotate_token(location.name)
    reveal(f"The new token of {location.name}", token, _about(location))
    notice("The old token no longer works. The new one stands in the lines below.")


def in_lines(location: Location) -> dict[str, object]:
    """Return a template's ``revealed``, and the ``token`` of its lines: TOKEN where none is to be shown."""
    shown = revealed(_about(location))
    return {"revealed": shown, "token": shown["secret"] if shown else "TOKEN"}


def _about(location: Location) -> str:
    return f"location {location.id}"
