"""A delivery whose row the database refuses: set aside, saying why, so that the others go on."""

from typing import Final

from webhooks.db import row_errors
from webhooks.db.raw import RawConnection

_FAIL: Final = """
    UPDATE delivery SET state = 'failed', reason = :reason, settled_at = :now, owner = NULL WHERE id = :id
    AND state IN ('pending', 'held')
"""
# Not among the attempts that were made, which count from 1: it says why there are none.
_TELL: Final = """
    INSERT INTO attempt (delivery_id, n, started_at, milliseconds, error) VALUES (:id, 0, :now, 0, :reason)
    ON CONFLICT DO NOTHING
"""


def set_aside(direct: RawConnection, delivery_id: int, error: Exception, now: int) -> None:
    """Fail a delivery that cannot be written as it should be. Where its row takes no change at all, its
    attempts say why, and this process leaves it alone for a while."""
    said = f"The database refused this delivery's row: {row_errors.reason(error)}."
    parameters = {"id": delivery_id, "reason": said, "now": now}
    worse = direct.tried(lambda: direct.run(_FAIL, parameters))
    if worse is not None:
        row_errors.leave("delivery", delivery_id, worse)
        direct.tried(lambda: direct.run(_TELL, parameters))
