"""When the machine's clock is set back, what is due must not wait until it has come round again.

All times in the tables are the wall clock's. Its distance from the monotonic clock, which is one for all
processes since the machine's boot, is kept in the database; where it shrinks, due times move with it.
"""

import logging
import time
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from webhooks.db.raw import RawConnection
from webhooks.db.row_errors import leave
from webhooks.db.store import Store, config_changed, now_ms

_STEP_MS: Final = 2_000  # less than this is no jump
_BATCH: Final = 500
_BOOT: Final = "clock:" + Path("/proc/sys/kernel/random/boot_id").read_text().strip()

_KEPT = sa.text("SELECT value FROM meta WHERE key = :key")
_KEEP = sa.text("""
    INSERT INTO meta (key, value) VALUES (:key, :value) ON CONFLICT (key) DO UPDATE SET value = :value
""")
# A fresh row waits for nothing but its call's earlier one, and a hold begins with an attempt, in the past.
# A claimed row is not touched: its due time is its lease.
_PULL: Final = f"""
    SELECT id FROM delivery WHERE webhook_id = :w AND state = 'pending' AND owner IS NULL
    AND id > :after AND (due_at > :now OR first_try_at > :now) ORDER BY id LIMIT {_BATCH}
"""
_PULL_THESE: Final = """
    UPDATE delivery SET due_at = CASE WHEN tries = 0 THEN :now ELSE due_at - :jump END,
           first_try_at = CASE WHEN first_try_at > :now THEN :now ELSE first_try_at END
    WHERE id IN :ids AND state = 'pending' AND owner IS NULL
"""
_LANES = sa.text("SELECT webhook_id FROM lane ORDER BY webhook_id")
_HOLDS = sa.text("""
    UPDATE lane SET not_before = CASE WHEN not_before - :jump > :now THEN not_before - :jump ELSE :now END,
           probe_at = CASE WHEN probe_at - :jump > :now THEN probe_at - :jump ELSE :now END
    WHERE not_before > :now OR probe_at > :now
""")

log = logging.getLogger(__name__)


def look(store: Store) -> int:
    """Set right what a jump back since anybody's last look has moved away; how far it was, in ms."""
    offset = now_ms() - time.monotonic_ns() // 1_000_000
    if abs(_kept(store, offset) - offset) < _STEP_MS:
        return 0
    with store.write(wait=None) as session:
        connection = session.connection()
        kept = connection.execute(_KEPT, {"key": _BOOT}).scalar()
        connection.execute(_KEEP, {"key": _BOOT, "value": str(offset)})
        jump = int(kept) - offset if kept is not None else 0
        if jump < _STEP_MS:  # forward, or another process was quicker
            return 0
        connection.execute(_HOLDS, {"now": now_ms(), "jump": jump})
        config_changed(connection)  # so that whoever owns a lane reads its hold anew
    log.warning("the clock was set back; what is due moves with it", extra={"jump_s": jump / 1000})
    pull(store, jump)
    return jump


def pull(store: Store, jump: int = 0) -> None:
    """Move due times ``jump`` ms back, and those of fresh deliveries to now, in small transactions."""
    with store.read() as session:
        lanes = session.connection().execute(_LANES).scalars().all()
    for webhook_id in lanes:
        after: int | None = 0
        while after is not None:
            with store.direct(wait=None) as direct:
                after = _pull_some(direct, webhook_id, jump, after)


def _pull_some(direct: RawConnection, webhook_id: int, jump: int, after: int) -> int | None:
    """The last id that was looked at; None if there was none."""
    now = now_ms()
    found = [id_ for (id_,) in direct.rows(_PULL, {"w": webhook_id, "now": now, "after": after})]
    direct.each(
        found,
        lambda some: direct.run(_PULL_THESE, {"ids": some, "now": now, "jump": jump}),
        lambda one, error: leave("delivery", one, error),
    )
    return found[-1] if found else None


def _kept(store: Store, default: int) -> int:
    with store.read() as session:
        kept = session.connection().execute(_KEPT, {"key": _BOOT}).scalar()
    return default - 2 * _STEP_MS if kept is None else int(kept)
