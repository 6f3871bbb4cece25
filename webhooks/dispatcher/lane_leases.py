"""The lanes that this process knows, and those of them that it owns; many change hands in one statement."""

import random
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final

from webhooks.db.meta import config_version
from webhooks.db.raw import RawConnection
from webhooks.db.row_errors import leave
from webhooks.db.store import Store
from webhooks.dispatcher import lane_rows
from webhooks.dispatcher.lane import Lane
from webhooks.dispatcher.lookout import Found
from webhooks.dispatcher.timers import Timers
from webhooks.dispatcher.waiting import Waiting
from webhooks.outbound.connector import Connector
from webhooks.outbox import leases
from webhooks.settings import Settings

_UNUSED_S: Final = 60.0  # an unused lane's connections are closed after it


class LaneLeases:
    """The dispatcher's thread alone uses it.

    Lanes that may have something to claim are put among the ``waiting``; of others that will have, their
    times are told to ``timers``.
    """

    def __init__(
        self, owner_id: str, settings: Settings, connector: Connector, store: Store, waiting: Waiting,
        timers: Timers,
    ) -> None:  # fmt: skip
        self._owner_id, self._settings = owner_id, settings
        self._connector, self._store = connector, store
        self._waiting, self._timers = waiting, timers
        self._known: dict[int, Lane] = {}
        self._owned: dict[int, Lane] = {}
        self._resting: dict[int, Lane] = {}  # owned, with due rows and nothing in flight
        self._loaded: list[Lane] = []  # their senders are to be made
        self._config: int | None = None

    def lane(self, webhook_id: int) -> Lane:
        """The lane of a webhook, made at the first call."""
        lane = self._known.get(webhook_id)
        if lane is None:
            lane = self._known[webhook_id] = Lane(webhook_id)
        return lane

    def busy(self) -> list[int]:
        """Webhooks whose lanes are ours and can take nothing now, however much is due."""
        return [webhook_id for webhook_id, lane in self._owned.items() if lane.busy]

    @property
    def resting(self) -> list[Lane]:
        """Lanes that are kept although nothing of theirs is in flight."""
        return list(self._resting.values())

    def note_found(self, found: Found, now_ms: int) -> None:
        """Let lanes wait, or note their times, as a look or a glance has found them."""
        due = [one for one in found.lanes if one.due_ms <= now_ms]
        if found.whole:
            nobodys = {one.webhook_id for one in due}
            for lane in [lane for lane in self._waiting if not lane.owned and lane.webhook_id not in nobodys]:
                self._waiting.discard(lane)
        begin = random.randrange(len(due)) if due else 0  # where other processes begin elsewhere
        for webhook_id, _, has_answered in (*due[begin:], *due[:begin]):
            lane = self.lane(webhook_id)
            lane.has_answered = has_answered
            self._waiting.add(lane)
        for webhook_id, due_ms, _ in found.lanes:
            if due_ms > now_ms:
                self._timers.set(webhook_id, due_ms, now_ms)

    def note_time(self, now_ms: int) -> None:
        """Let those lanes wait whose time has come."""
        for webhook_id in self._timers.pop_due(now_ms):
            self._waiting.add(self.lane(webhook_id))

    def note_report(self, lane: Lane) -> None:
        """Let a lane wait that could claim no more while this task of it was in flight."""
        if lane.owned and lane.may_have_more:
            self._waiting.add(lane)

    def acquire(
        self, direct: RawConnection, candidates: Iterable[Lane], reported: Iterable[Lane], now_ms: int
    ) -> None:
        """Become the owner of lanes, and load them: of ``candidates`` those that have something due.

        Those that another process owns stay its.
        """
        acquired: list[int] = []
        needed = {lane.webhook_id for lane in reported if not lane.owned}
        _each(
            direct,
            [*needed],
            lambda some: acquired.extend(leases.acquire(direct, self._owner_id, some)),
        )
        wanted = [lane.webhook_id for lane in candidates if not (lane.owned or lane.webhook_id in needed)]
        _each(
            direct,
            wanted,
            lambda some: acquired.extend(leases.acquire_if_due(direct, self._owner_id, some, now_ms)),
        )
        for webhook_id in acquired:
            lane = self._owned[webhook_id] = self._known[webhook_id]
            lane.owned = True
        self._load(direct, acquired)

    def reload_if_changed(self, direct: RawConnection) -> None:
        """Load all owned lanes anew if the configuration has changed."""
        version = config_version(direct)
        if version != self._config:
            self._config = version
            self._load(direct, list(self._owned))

    def release_idle(
        self,
        direct: RawConnection,
        touched: Iterable[Lane],
        claimed: Collection[int],
        has_room: Callable[[Lane], bool],
        now_ms: int,
    ) -> None:
        """Release lanes with nothing in flight and nothing due, or without a slot here for what is due.

        ``touched``: lanes that this transaction has dealt with. ``claimed``: webhooks of the tasks that it
        makes; they are in flight in a moment.
        """
        crowded = [lane for lane in self._resting.values() if lane in self._waiting and not has_room(lane)]
        lanes = {lane.webhook_id: lane for lane in (*touched, *crowded) if lane.owned}
        idle = {id_: lane for id_, lane in lanes.items() if lane.idle and id_ not in claimed}
        empty: set[int] = set()
        _each(
            direct,
            [*idle],
            lambda some: empty.update(leases.release_if_empty(direct, self._owner_id, some, now_ms)),
        )
        # Only this process knows which earlier row releases a lane's deferred rows: such lanes are kept, and
        # so are those whose rate it keeps.
        given_up = [
            id_
            for id_, lane in idle.items()
            if id_ not in empty and not lane.deferred_calls and (lane.held(now_ms) or not has_room(lane))
        ]
        _each(direct, given_up, lambda some: leases.release(direct, self._owner_id, some))
        for id_, lane in idle.items():
            lane.may_have_more = id_ not in empty
            self._resting[id_] = lane
        for id_ in (*empty, *given_up):
            del self._owned[id_]
            lanes[id_].owned = False
            lanes[id_].deferred_calls.clear()
        for id_ in (*empty, *given_up, *claimed):
            self._resting.pop(id_, None)
        for lane in lanes.values():
            self._let_wait(lane, now_ms)

    def _let_wait(self, lane: Lane, now_ms: int) -> None:
        """Let a lane wait if it may have more and may claim it."""
        if lane.may_have_more and lane.may_claim(now_ms):
            self._waiting.add(lane)
            return
        self._waiting.discard(lane)
        if lane.may_have_more and lane.health.held_until_ms > now_ms:
            self._timers.set(lane.webhook_id, lane.health.held_until_ms, now_ms)

    def invalidate(self) -> None:
        """Own nothing any more: a transaction broke off, so what memory says may not be so.

        Each lane is acquired and loaded anew. To acquire what is ours already does no harm.
        """
        for lane in self._owned.values():
            lane.owned = False
        self._owned.clear()
        self._resting.clear()
        self._waiting.clear()

    def close_unused(self) -> list[int]:
        """Close lanes that have not been used for long. Returns their webhooks."""
        since_s = time.monotonic() - _UNUSED_S
        unused = [
            lane
            for lane in self._known.values()
            if lane.idle and lane.used_s < since_s and not (lane.owned or lane in self._waiting)
        ]
        for lane in unused:
            lane.close()
            del self._known[lane.webhook_id]
        return [lane.webhook_id for lane in unused]

    def prepare(self, now_ms: int) -> None:
        """Make the senders of lanes that were loaded. In no transaction, before their attempts begin."""
        for lane in self._loaded:
            lane.prepare(self._settings, self._connector, self._store, now_ms)
        self._loaded.clear()

    def _load(self, direct: RawConnection, webhook_ids: list[int]) -> None:
        for row in lane_rows.read(direct, webhook_ids) if webhook_ids else ():
            lane = self._known[row.webhook_id]
            lane.load(row, self._settings)
            self._loaded.append(lane)


def _each(
    direct: RawConnection, webhook_ids: Sequence[int], write: Callable[[Sequence[int]], object]
) -> None:
    """Write to many lanes in one statement; those that the database refuses are left alone for a while."""
    direct.each(webhook_ids, write, lambda webhook_id, error: leave("lane", webhook_id, error))
