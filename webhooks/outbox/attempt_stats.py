"""What a webhook's last hours were like, kept up by the engine: a row a webhook and quarter of an hour.

A page that counted the deliveries themselves would grow slower with every day of history.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from webhooks.db.models.totals import SLOT_MS
from webhooks.db.raw import RawConnection
from webhooks.db.row_errors import leave
from webhooks.outbound.attempt import Outcome

_ADD: Final = """
    INSERT INTO traffic (webhook_id, slot, delivered, failed, milliseconds, slowest)
    VALUES (:w, :slot, :delivered, :failed, :ms, :slowest)
    ON CONFLICT (webhook_id, slot) DO UPDATE SET
        delivered = traffic.delivered + excluded.delivered, failed = traffic.failed + excluded.failed,
        milliseconds = traffic.milliseconds + excluded.milliseconds,
        slowest = CASE WHEN excluded.slowest > traffic.slowest THEN excluded.slowest ELSE traffic.slowest END
"""


def add(direct: RawConnection, now: int, attempts: Mapping[int, Sequence[Outcome]]) -> None:
    """Count attempts by webhook, in the caller's transaction."""
    slot = now // SLOT_MS
    direct.each(
        [{"w": webhook_id, "slot": slot, **_sum(outcomes)} for webhook_id, outcomes in attempts.items()],
        lambda some: direct.many(_ADD, some),
        lambda one, error: leave("traffic", one["w"], error),
    )


def _sum(outcomes: Sequence[Outcome]) -> dict[str, int]:
    times = [round(outcome.seconds * 1000) for outcome in outcomes if outcome.delivered]
    return {
        "delivered": len(times),
        "failed": len(outcomes) - len(times),
        "ms": sum(times),
        "slowest": max(times, default=0),
    }
