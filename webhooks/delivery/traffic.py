"""What a webhook's last hours were like, kept up by the engine: a row a webhook and quarter of an hour.

A page that counted the deliveries themselves would grow slower with every day of history.
"""

from typing import Final

from webhooks.direct import Direct

SLOT_MS: Final = 900_000  # a quarter of an hour: no time zone's midnight lies inside one

_ADD: Final = """
    INSERT INTO traffic (webhook_id, slot, delivered, failed, milliseconds, slowest)
    VALUES (:w, :slot, :delivered, :failed, :ms, :slowest)
    ON CONFLICT (webhook_id, slot) DO UPDATE SET
        delivered = traffic.delivered + excluded.delivered, failed = traffic.failed + excluded.failed,
        milliseconds = traffic.milliseconds + excluded.milliseconds,
        slowest = CASE WHEN excluded.slowest > traffic.slowest THEN excluded.slowest ELSE traffic.slowest END
"""


def add(direct: Direct, webhook_id: int, now: int, delivered: list[float], failed: int) -> None:
    """Count attempts, in the caller's transaction. ``delivered``: the seconds that each good one took."""
    times = [round(seconds * 1000) for seconds in delivered]
    direct.run(
        _ADD,
        {"w": webhook_id, "slot": now // SLOT_MS, "delivered": len(times), "failed": failed,
         "ms": sum(times), "slowest": max(times, default=0)},
    )  # fmt: skip
