"""Rotation of tokens and secrets: for a day the former one holds as well, so that nobody is cut off."""

from datetime import datetime, timedelta
from typing import Final

from webhooks.db.models import Rotated
from webhooks.errors import Conflict
from webhooks.services.lookup import now

_GRACE: Final = timedelta(hours=24)


def grace_end(row: Rotated, what: str, *, at_once: bool) -> datetime | None:
    """Return until when what is replaced now holds; None where it ends at once.

    Raises:
        Conflict: two hold already. Another rotation would end the older of them, which may be the one in use.
    """
    if at_once:
        return None
    if row.both_until:
        raise Conflict(
            f"Two {what}s are valid until {row.both_until:%Y-%m-%d %H:%M} UTC, so there cannot be a third. "
            f"End the old {what} first, or wait until then. By command, rotate --now ends both for a new one."
        )
    return now() + _GRACE


def check_former(row: Rotated, what: str) -> None:
    """Raise Conflict where no former token or secret holds."""
    if not row.both_until:
        raise Conflict(f"The old {what} is not valid any more. There is nothing to end.")
