"""What a round takes out of the outbox: over all lanes, as many rows as the crew has places for."""

import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from webhooks.db.raw import RawConnection
from webhooks.db.row_errors import leave
from webhooks.dispatcher.capacity import Capacity, tasks_for
from webhooks.dispatcher.lane import Lane
from webhooks.dispatcher.lane_leases import LaneLeases
from webhooks.dispatcher.worker_pool import FAST_QUEUE, POOL_THREADS, SHORT_QUEUE, Task
from webhooks.outbox import claim as outbox
from webhooks.outbox.claim import LEASE, Claim, ClaimLimits


class Claimer:
    """Keeps the books of places taken. ``due_in`` is told in how many ms a lane's rate allows a row again."""

    def __init__(self, me: str, lanes: LaneLeases, due_in: Callable[[float], None]) -> None:
        self._me, self._lanes, self._due_in = me, lanes, due_in
        self._free = Capacity(FAST_QUEUE, SHORT_QUEUE, POOL_THREADS, POOL_THREADS // 2)
        self.under_way = 0
        self.without_place: set[int] = set()  # another process may have a place for these lanes

    @property
    def fast(self) -> bool:
        """The fast threads have something to do: it comes back in quick succession."""
        return self._free.chunks < FAST_QUEUE or self._free.short < SHORT_QUEUE

    def count(self, task: Task, one: int) -> None:
        """A task begins (1) or has ended (-1)."""
        self.under_way += one
        if task.fast:
            task.lane.chunks += one
            self._free.short -= one * task.short
            self._free.chunks -= one * (not task.short)
        else:
            task.lane.chains += one
            self._free.slow -= one
            self._free.cautious -= one * task.cautious

    def with_place(self, candidates: Iterable[Lane]) -> list[Lane]:
        """Lanes that the crew has places for now: the others wait, or another process takes them."""
        places = replace(self._free)
        wanted = []
        self.without_place = set()
        for lane in candidates:
            if places.of(lane) > 0:
                places.take(lane)
                wanted.append(lane)
            elif lane.idle:
                self.without_place.add(lane.webhook_id)
        return wanted

    def claim(self, direct: RawConnection, candidates: list[Lane], now: int) -> list[Task]:
        """In the caller's transaction, lane by lane in the order given; each has a place."""
        expires = time.monotonic() + LEASE / 1000
        places = replace(self._free)
        self._lanes.own(direct, candidates, now)
        for lane in candidates:
            self._lanes.waiting.pop(lane.webhook_id, None)
        claims: list[tuple[Lane, Claim]] = []

        def chose(lane: Lane, claim: Claim) -> None:
            claims.append((lane, claim))
            places.fill(tasks_for(lane, claim.chains, expires))

        few: dict[int, ClaimLimits] = {}
        for lane in candidates:
            wish = self._wish(lane, places, now)
            if lane.deep and wish.rows > 1:
                chose(lane, self._claim(direct, lane.webhook_id, now, wish))
            elif wish.rows:
                few[lane.webhook_id] = wish
                places.take(lane)
        found = outbox.claim_heads(direct, self._me, now, few)
        for webhook_id in few:
            lane = self._lanes.lane(webhook_id)
            places.take(lane, -1)
            claim = found.get(webhook_id, Claim())
            if claim is None:  # not so simple
                wish = self._wish(lane, places, now)
                claim = self._claim(direct, webhook_id, now, wish) if wish.rows else Claim(more=True)
            chose(lane, claim)
        outbox.take(direct, self._me, [claim for _, claim in claims], now)
        for lane, claim in claims:
            lane.took(claim)
        return [task for lane, claim in claims for task in tasks_for(lane, claim.chains, expires)]

    def _claim(self, direct: RawConnection, webhook_id: int, now: int, wish: ClaimLimits) -> Claim:
        found: list[Claim] = []
        error = direct.tried(lambda: found.append(outbox.claim(direct, self._me, webhook_id, now, wish)))
        if error is not None:
            leave("lane", webhook_id, error)
        return found[0] if error is None else Claim()

    def _wish(self, lane: Lane, places: Capacity, now: int) -> ClaimLimits:
        wish = lane.wish(now, places.of(lane)) if lane.owned else ClaimLimits(0, 0)
        if lane.rate_wait:
            self._due_in(lane.rate_wait)
        return wish
