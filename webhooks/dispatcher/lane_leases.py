"""The lanes that this process knows, and those of them that it owns; many change hands in one statement."""

import time
from collections.abc import Iterable
from typing import Final

from webhooks.db.meta import config_version
from webhooks.db.raw import RawConnection
from webhooks.db.row_errors import leave
from webhooks.dispatcher import lane as lanes
from webhooks.dispatcher.lane import Lane
from webhooks.outbound.pinned_adapter import Connector
from webhooks.outbox import leases
from webhooks.settings import Settings
from webhooks.vault import Vault

_FORGET_SECONDS: Final = 60.0  # an unused lane's connections are closed after it


class LaneLeases:
    """``me`` is the owner. The dispatcher alone uses it."""

    def __init__(self, me: str, settings: Settings, gate: Connector, vault: Vault) -> None:
        self._me, self._settings, self._gate, self._vault = me, settings, gate, vault
        self._known: dict[int, Lane] = {}
        self._owned: dict[int, Lane] = {}
        self.waiting: dict[int, Lane] = {}  # had something due when we looked, and no place here since
        self._config: int | None = None

    def lane(self, webhook_id: int) -> Lane:
        found = self._known.get(webhook_id)
        if found is None:
            found = self._known[webhook_id] = Lane(webhook_id)
        return found

    def with_more(self) -> dict[int, Lane]:
        """Owned lanes that may have due rows left."""
        return {webhook_id: lane for webhook_id, lane in self._owned.items() if lane.more}

    def own(self, direct: RawConnection, wanted: Iterable[Lane], now: int) -> None:
        """Make lanes ours; those that another process has stay its."""
        free = {lane.webhook_id: lane for lane in wanted if not lane.owned}
        if not free:
            return
        mine: list[int] = []
        direct.each(
            list(free),
            lambda some: mine.extend(leases.own_lanes(direct, self._me, some)),
            lambda one, error: leave("lane", one, error),
        )
        for webhook_id in mine:
            free[webhook_id].owned = True
            self._owned[webhook_id] = free[webhook_id]
        self._read(direct, [webhook_id for webhook_id, lane in free.items() if lane.owned], now)

    def keep_up(self, direct: RawConnection, now: int) -> None:
        """Read what we own anew if the configuration has changed."""
        version = config_version(direct)
        if version != self._config:
            self._config = version
            self._read(direct, list(self._owned), now)

    def give_up(self, direct: RawConnection, busy: set[int], without_place: set[int], now: int) -> None:
        """Let go of lanes that have nothing under way and nothing due, or no place here for what is due."""
        idle = [id_ for id_, lane in self._owned.items() if lane.idle and id_ not in busy]
        if not idle:
            return
        gone: set[int] = set()
        direct.each(
            idle,
            lambda some: gone.update(leases.disown_lanes(direct, self._me, some, now)),
            lambda one, error: leave("lane", one, error),
        )
        # Rows that were pushed wait for the settling of an earlier one, by whoever knows of them.
        left = [
            webhook_id
            for webhook_id in idle
            if webhook_id in without_place and webhook_id not in gone and not self._owned[webhook_id].pushed
        ]
        if left:
            direct.each(
                left,
                lambda some: leases.leave_lanes(direct, self._me, some),
                lambda one, error: leave("lane", one, error),
            )
            self.waiting |= {webhook_id: self._owned[webhook_id] for webhook_id in left}
        for webhook_id in idle:
            lane = self._owned[webhook_id]
            lane.more = webhook_id not in gone
            if not lane.more or webhook_id in left:
                lane.owned = False
                lane.pushed.clear()
                del self._owned[webhook_id]

    def doubt(self) -> None:
        """A transaction broke off: what memory says may not be so, and each lane is read anew."""
        for lane in self._owned.values():
            lane.owned = False
        self._owned.clear()
        self.waiting.clear()

    def forget_unused(self) -> list[int]:
        """Close what has not been used for long; the answer is whose it was."""
        old = time.monotonic() - _FORGET_SECONDS
        unused = [
            lane for lane in self._known.values() if not lane.owned and lane.idle and lane.used_at < old
        ]
        for lane in unused:
            lane.close()
            del self._known[lane.webhook_id]
        return [lane.webhook_id for lane in unused]

    def _read(self, direct: RawConnection, webhook_ids: list[int], now: int) -> None:
        for row in lanes.read(direct, webhook_ids) if webhook_ids else ():
            self._known[row.webhook_id].know(row, self._settings, self._gate, self._vault, now)
