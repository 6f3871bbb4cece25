"""Clock skew: when the machine's clock is set back, due times move with it.

All times in the tables are the wall clock's: what is due would wait until the clock has come round again. The
wall clock's offset from the monotonic clock, which is the same for all processes since the machine's boot, is
kept in the database; where it shrinks, the clock was set back.
"""

import logging
import time
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from webhooks.db.meta import clock_offset_ms, config_changed
from webhooks.db.raw import RawConnection
from webhooks.db.row_errors import leave
from webhooks.db.store import Store, now_ms

_STEP_MS: Final = 2_000  # less than this is no jump
_BATCH: Final = 500
_OFFSET_MS: Final = clock_offset_ms(Path("/proc/sys/kernel/random/boot_id").read_text().strip())

# A fresh row waits for nothing but its call's earlier one, and a hold begins with an attempt, in the past.
# A claimed row is not touched: its due time is its lease.
_ROWS: Final = f"""
    SELECT id FROM delivery WHERE webhook_id = :webhook_id AND state = 'pending' AND owner IS NULL
    AND id > :after AND (due_at > :now OR first_try_at > :now) ORDER BY id LIMIT {_BATCH}
"""
_MOVE: Final = """
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


def check(store: Store) -> int:
    """Move due times if the clock was set back since any process's last check. Returns how far, in ms."""
    offset_ms = now_ms() - time.monotonic_ns() // 1_000_000
    if abs(_kept_offset_ms(store, offset_ms) - offset_ms) < _STEP_MS:
        return 0
    with store.write(wait=None) as session:
        connection = session.connection()
        kept = _OFFSET_MS.get(connection)
        _OFFSET_MS.set(connection, offset_ms)
        jump_ms = kept - offset_ms if kept is not None else 0
        if jump_ms < _STEP_MS:  # forward, or another process was quicker
            return 0
        connection.execute(_HOLDS, {"now": now_ms(), "jump": jump_ms})
        config_changed(connection)  # so that whoever owns a lane reads its hold anew
    log.warning("the clock was set back; what is due moves with it", extra={"jump_s": jump_ms / 1000})
    move_due_times(store, jump_ms)
    return jump_ms


def move_due_times(store: Store, jump_ms: int = 0) -> None:
    """Move due times ``jump_ms`` back, and those of fresh deliveries to now, in small transactions."""
    with store.read() as session:
        lanes = session.connection().execute(_LANES).scalars().all()
    for webhook_id in lanes:
        last_id: int | None = 0
        while last_id is not None:
            with store.direct(wait=None) as direct:
                last_id = _move_batch(direct, webhook_id, jump_ms, last_id)


def _move_batch(direct: RawConnection, webhook_id: int, jump_ms: int, after_id: int) -> int | None:
    """Move the next rows of a webhook. Returns the last one's id; None if there was none."""
    now = now_ms()
    parameters = {"webhook_id": webhook_id, "now": now, "after": after_id}
    ids = [id_ for (id_,) in direct.rows(_ROWS, parameters)]
    direct.each(
        ids,
        lambda some: direct.run(_MOVE, {"ids": some, "now": now, "jump": jump_ms}),
        lambda id_, error: leave("delivery", id_, error),
    )
    return ids[-1] if ids else None


def _kept_offset_ms(store: Store, default_ms: int) -> int:
    """The offset at the last check. Where there was none since the boot, one far from the default."""
    with store.direct_read() as direct:
        kept = _OFFSET_MS.get(direct)
    return default_ms - 2 * _STEP_MS if kept is None else kept
