"""What a round claims: over all lanes, as many rows as the worker pool has capacity for."""

import math
import time
from dataclasses import replace

from webhooks.db.raw import RawConnection
from webhooks.db.row_errors import leave
from webhooks.dispatcher.capacity import Capacity
from webhooks.dispatcher.lane import Lane
from webhooks.dispatcher.lane_leases import LaneLeases
from webhooks.dispatcher.pace import Pace
from webhooks.dispatcher.packing import expected_kind, pack, slots
from webhooks.dispatcher.task import Task, TaskKind
from webhooks.dispatcher.timers import Timers
from webhooks.dispatcher.waiting import Waiting
from webhooks.dispatcher.worker_pool import FAST_BULKS, FAST_SINGLES
from webhooks.outbox import claim as outbox
from webhooks.outbox import marking
from webhooks.outbox.claim import Claim, ClaimLimits
from webhooks.outbox.rows import LEASE_MS


class Claimer:
    """Claims rows and counts the tasks in flight. ``timers`` are told when a lane's rate allows a row."""

    def __init__(
        self, owner_id: str, leases: LaneLeases, waiting: Waiting, timers: Timers, threads: int
    ) -> None:
        self._owner_id, self._leases, self._waiting, self._timers = owner_id, leases, waiting, timers
        self._most_unproven = threads // 2
        self._capacity = Capacity(
            FAST_SINGLES, FAST_BULKS, threads, self._most_unproven, threads // 4, threads // 16
        )
        self._left = replace(self._capacity)  # beside the lanes that took their turns last
        self._pace = Pace()
        self._in_flight = 0

    @property
    def idle(self) -> bool:
        return not self._in_flight

    @property
    def fast_threads_busy(self) -> bool:
        """Whether reports are about to come in quick succession."""
        return self._capacity.bulk < FAST_BULKS or self._capacity.single < FAST_SINGLES

    def begin(self, task: Task) -> None:
        """Count a task that is handed to the pool."""
        self._in_flight += 1
        task.lane.in_flight += 1
        self._capacity.reserve(task.kind)
        if task.kind is TaskKind.PROBATION:
            self._pace.begun(time.monotonic())

    def end(self, task: Task) -> None:
        """Count a task that made its last report."""
        self._in_flight -= 1
        task.lane.in_flight -= 1
        self._capacity.release(task.kind)

    def take_turns(self) -> list[Lane]:
        """Take the waiting lanes that the pool has a slot for. The others wait, or another process has them.

        Of lanes on probation a round takes a few only (``Pace``): a thousand receivers that hang make no
        long transaction, for which all others would wait.
        """
        self._left = replace(self._capacity)
        in_flight = self._most_unproven - self._left.probation
        unproven = self._pace.allowance(in_flight, time.monotonic())
        return self._waiting.take(self._left, unproven)

    @property
    def crowded_out(self) -> bool:
        """Whether lanes were left waiting that another process may have a slot for."""
        return self._waiting.crowded_out(self._left)

    def has_room(self, lane: Lane) -> bool:
        """Whether there is a slot for a lane, beside those that took their turns."""
        return self._left.rows_for(lane) > 0

    def claim(self, direct: RawConnection, candidates: list[Lane], now_ms: int) -> list[Task]:
        """Claim due rows in the caller's transaction, lane by lane in the order given.

        Slots are counted only by ``begin``: the transaction may yet break off.
        """
        lease_end_s = time.monotonic() + LEASE_MS / 1000
        chosen = self._choose(direct, candidates, now_ms)
        claims = [claim for _, claim in chosen]
        claimed = marking.mark_claimed(direct, self._owner_id, claims, now_ms)
        tasks: list[Task] = []
        for (lane, claim), batches in zip(chosen, claimed, strict=True):
            lane.note_claim(claim, sum(map(len, batches)))
            tasks += pack(lane, batches, lease_end_s)
        return tasks

    def _choose(self, direct: RawConnection, candidates: list[Lane], now_ms: int) -> list[tuple[Lane, Claim]]:
        """Choose rows of each lane. Backlogged lanes get queries of their own, all others share one."""
        capacity = replace(self._capacity)
        chosen: list[tuple[Lane, Claim]] = []
        simple: dict[int, ClaimLimits] = {}
        for lane in candidates:
            limits = self._limits(lane, capacity, now_ms)
            if lane.backlogged and limits.rows > 1:
                claim = self._choose_of(direct, lane.webhook_id, now_ms, limits)
                capacity.reserve(*slots(lane.kind, claim.batches))
                chosen.append((lane, claim))
            elif limits.rows:
                simple[lane.webhook_id] = limits
                capacity.reserve(expected_kind(lane))
        first = outbox.choose_first(direct, self._owner_id, simple, now_ms)
        for webhook_id in simple:
            lane = self._leases.lane(webhook_id)
            capacity.release(expected_kind(lane))
            claim_or_not = first.get(webhook_id, Claim())
            if claim_or_not is None:  # its first row is not all that it may have, or not sendable
                limits = self._limits(lane, capacity, now_ms)
                claim_or_not = (
                    self._choose_of(direct, webhook_id, now_ms, limits)
                    if limits.rows
                    else Claim(may_have_more=True)
                )
            capacity.reserve(*slots(lane.kind, claim_or_not.batches))
            chosen.append((lane, claim_or_not))
        return chosen

    def _choose_of(self, direct: RawConnection, webhook_id: int, now_ms: int, limits: ClaimLimits) -> Claim:
        claims: list[Claim] = []
        error = direct.tried(
            lambda: claims.append(outbox.choose(direct, self._owner_id, webhook_id, limits, now_ms))
        )
        if error is not None:
            leave("lane", webhook_id, error)
            return Claim()
        return claims[0]

    def _limits(self, lane: Lane, capacity: Capacity, now_ms: int) -> ClaimLimits:
        if not lane.owned:
            return ClaimLimits(0, 0)
        limits = lane.claim_limits(now_ms, capacity.rows_for(lane))
        if lane.rate_wait_ms:
            self._timers.set(lane.webhook_id, now_ms + math.ceil(lane.rate_wait_ms), now_ms)
        return limits
