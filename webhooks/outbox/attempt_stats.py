"""Attempt stats: counts and times of attempts, a row for each webhook and quarter of an hour.

The dispatcher keeps them up. A page that counted the deliveries would grow slower with each day of history.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from webhooks.db.models.totals import SLOT_MS
from webhooks.db.raw import RawConnection
from webhooks.db.row_errors import leave
from webhooks.outbound.sender import Outcome

_ADD: Final = """
    INSERT INTO traffic (webhook_id, slot, delivered, failed, milliseconds, slowest)
    VALUES (:webhook_id, :slot, :delivered, :failed, :ms, :slowest)
    ON CONFLICT (webhook_id, slot) DO UPDATE SET
        delivered = traffic.delivered + excluded.delivered, failed = traffic.failed + excluded.failed,
        milliseconds = traffic.milliseconds + excluded.milliseconds,
        slowest = CASE WHEN excluded.slowest > traffic.slowest THEN excluded.slowest ELSE traffic.slowest END
"""


def add(direct: RawConnection, now_ms: int, attempts: Mapping[int, Sequence[Outcome]]) -> None:
    """Count attempts, given by webhook, in the caller's transaction."""
    slot = now_ms // SLOT_MS
    direct.each(
        [
            {"webhook_id": webhook_id, "slot": slot, **_sum(outcomes)}
            for webhook_id, outcomes in attempts.items()
        ],
        lambda some: direct.many(_ADD, some),
        lambda row, error: leave("traffic", row["webhook_id"], error),
    )


def _sum(outcomes: Sequence[Outcome]) -> dict[str, int]:
    durations_ms = [round(outcome.duration_s * 1000) for outcome in outcomes if outcome.delivered]
    return {
        "delivered": len(durations_ms),
        "failed": len(outcomes) - len(durations_ms),
        "ms": sum(durations_ms),
        "slowest": max(durations_ms, default=0),
    }
