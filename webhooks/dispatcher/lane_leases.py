"""The lanes that this process knows, and those of them that it owns; many change hands in one statement."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from webhooks.db.meta import config_version
from webhooks.db.raw import RawConnection
from webhooks.db.row_errors import leave
from webhooks.db.store import Store
from webhooks.dispatcher import lane_rows
from webhooks.dispatcher.lane import Lane
from webhooks.outbound.connector import Connector
from webhooks.outbox import leases
from webhooks.settings import Settings

_UNUSED_S: Final = 60.0  # an unused lane's connections are closed after it


class LaneLeases:
    """The dispatcher's thread alone uses it."""

    def __init__(self, owner_id: str, settings: Settings, connector: Connector, store: Store) -> None:
        self._owner_id, self._settings = owner_id, settings
        self._connector, self._store = connector, store
        self._known: dict[int, Lane] = {}
        self._owned: dict[int, Lane] = {}
        self._due: dict[int, Lane] = {}  # due at the last look, and not claimed from since
        self._config: int | None = None

    def lane(self, webhook_id: int) -> Lane:
        """The lane of a webhook, made at the first call."""
        lane = self._known.get(webhook_id)
        if lane is None:
            lane = self._known[webhook_id] = Lane(webhook_id)
        return lane

    def candidates(self) -> list[Lane]:
        """Lanes to claim from: owned ones that may have more, and those that are due."""
        lanes = {webhook_id: lane for webhook_id, lane in self._owned.items() if lane.may_have_more}
        return list((lanes | self._due).values())

    def busy(self) -> list[int]:
        """Webhooks whose lanes are ours and can take nothing now, however much is due."""
        return [webhook_id for webhook_id, lane in self._owned.items() if lane.busy]

    def now_due(self, webhook_ids: Iterable[int]) -> None:
        """Note which lanes a look found due, all of them."""
        self._due = {webhook_id: self.lane(webhook_id) for webhook_id in webhook_ids}

    def no_longer_due(self, lanes: Iterable[Lane]) -> None:
        """Note lanes that a claim deals with."""
        for lane in lanes:
            self._due.pop(lane.webhook_id, None)

    def acquire(self, direct: RawConnection, lanes: Iterable[Lane], now_ms: int) -> None:
        """Become the owner of lanes, and load them. Those that another process owns stay its."""
        wanted = {lane.webhook_id: lane for lane in lanes if not lane.owned}
        if not wanted:
            return
        acquired: list[int] = []
        _each(
            direct,
            list(wanted),
            lambda some: acquired.extend(leases.acquire(direct, self._owner_id, some)),
        )
        for webhook_id in acquired:
            lane = self._owned[webhook_id] = wanted[webhook_id]
            lane.owned = True
        self._load(direct, acquired, now_ms)

    def reload_if_changed(self, direct: RawConnection, now_ms: int) -> None:
        """Load all owned lanes anew if the configuration has changed."""
        version = config_version(direct)
        if version != self._config:
            self._config = version
            self._load(direct, list(self._owned), now_ms)

    def release_idle(
        self, direct: RawConnection, claimed: set[int], crowded_out: set[int], now_ms: int
    ) -> None:
        """Release lanes that have nothing in flight and nothing due, or no slot here for what is due.

        ``claimed``: webhooks of the tasks that this transaction makes; they are in flight in a moment.
        """
        idle = [id_ for id_, lane in self._owned.items() if lane.idle and id_ not in claimed]
        if not idle:
            return
        empty: set[int] = set()
        _each(
            direct,
            idle,
            lambda some: empty.update(leases.release_if_empty(direct, self._owner_id, some, now_ms)),
        )
        # Only this process knows which earlier row releases a lane's deferred rows: such lanes are kept.
        given_up = [
            webhook_id
            for webhook_id in idle
            if webhook_id in crowded_out
            and webhook_id not in empty
            and not self._owned[webhook_id].deferred_calls
        ]
        _each(direct, given_up, lambda some: leases.release(direct, self._owner_id, some))
        self._due |= {webhook_id: self._owned[webhook_id] for webhook_id in given_up}
        for webhook_id in idle:
            self._owned[webhook_id].may_have_more = webhook_id not in empty
        for webhook_id in (*empty, *given_up):
            lane = self._owned.pop(webhook_id)
            lane.owned = False
            lane.deferred_calls.clear()

    def invalidate(self) -> None:
        """Own nothing any more: a transaction broke off, so what memory says may not be so.

        Each lane is acquired and loaded anew. To acquire what is ours already does no harm.
        """
        for lane in self._owned.values():
            lane.owned = False
        self._owned.clear()
        self._due.clear()

    def close_unused(self) -> list[int]:
        """Close lanes that have not been used for long. Returns their webhooks."""
        since_s = time.monotonic() - _UNUSED_S
        unused = [
            lane for lane in self._known.values() if not lane.owned and lane.idle and lane.used_s < since_s
        ]
        for lane in unused:
            lane.close()
            del self._known[lane.webhook_id]
        return [lane.webhook_id for lane in unused]

    def _load(self, direct: RawConnection, webhook_ids: list[int], now_ms: int) -> None:
        for row in lane_rows.read(direct, webhook_ids) if webhook_ids else ():
            lane = self._known[row.webhook_id]
            lane.load(row, self._settings, self._connector, self._store, now_ms)


def _each(
    direct: RawConnection, webhook_ids: Sequence[int], write: Callable[[Sequence[int]], object]
) -> None:
    """Write to many lanes in one statement; those that the database refuses are left alone for a while."""
    direct.each(webhook_ids, write, lambda webhook_id, error: leave("lane", webhook_id, error))
