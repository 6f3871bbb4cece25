"""Set aside a delivery whose row the database refuses, saying why, so that the others go on."""

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


def set_aside(direct: RawConnection, delivery_id: int, error: Exception, now_ms: int) -> None:
    """Set a delivery to failed because it cannot be written as it should be.

    Where its row takes no change at all, its attempts say why, and this process leaves it alone for a while.
    """
    reason = f"The database refused this delivery's row: {row_errors.reason(error)}."
    parameters = {"id": delivery_id, "reason": reason, "now": now_ms}
    refusal = direct.tried(lambda: direct.run(_FAIL, parameters))
    if refusal is not None:
        row_errors.leave("delivery", delivery_id, refusal)
        direct.tried(lambda: direct.run(_TELL, parameters))
