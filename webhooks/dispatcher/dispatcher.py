"""The engine: one dispatcher thread that empties the outbox, over all lanes, with a crew of threads.

In each round it gathers what came back, then settles it and claims what is due in one transaction, lane by
lane in turn. It looks at the database at each wake-up, at the next due time, and every half second.
"""

import collections
import contextlib
import functools
import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from webhooks.db import row_errors
from webhooks.db.raw import RawConnection
from webhooks.db.store import Store, now_ms
from webhooks.dispatcher.claimer import Claimer
from webhooks.dispatcher.lane import Lane
from webhooks.dispatcher.lane_leases import LaneLeases
from webhooks.dispatcher.liveness import Liveness, free
from webhooks.dispatcher.settler import Settler
from webhooks.dispatcher.worker_pool import Report, Task, WorkerPool
from webhooks.errors import Busy, Replaced
from webhooks.keyring import Keyring
from webhooks.media.payload import with_link
from webhooks.media.signed_links import Links
from webhooks.outbound.address_rules import AddressRules
from webhooks.outbound.forward_proxy import Proxy
from webhooks.outbound.pinned_adapter import Connector, trust
from webhooks.outbox import hold, leases
from webhooks.outbox.wakeup import Waker
from webhooks.settings import Settings

POLL_SECONDS: Final = 0.5
GRACE_SECONDS: Final = 10.0  # for attempts in flight at a stop
_GATHER_SECONDS: Final = 0.002
_LOOK_SECONDS: Final = 0.005  # while there is work, at most so often …
_LOOK_SHARE: Final = 0.05  # … and for at most this share of the time
_AWAKE_SECONDS: Final = 0.06  # after the last work it goes on looking: longer than the flag says so
_FLAG_SECONDS: Final = 0.012
_HELP_SECONDS: Final = 0.1  # at most so often another process is asked for help
_BACK_OFF: Final = (0.1, 5.0)

log = logging.getLogger(__name__)


class Dispatcher:
    """``start`` once in each worker process, ``kick`` at each wake-up, ``stop`` at the end."""

    def __init__(self, settings: Settings, store: Store, on_fault: Callable[[], None]) -> None:
        """``on_fault`` is called if the dispatcher ends by a fault of ours: the process has to start anew."""
        self._store, self._on_fault = store, on_fault
        gate = Connector(AddressRules(settings.allow_nets, settings.deny_nets), Proxy.of(settings.proxy))
        self._ownership = Liveness(settings, store)
        self._lanes = LaneLeases(self._ownership.id, settings, gate, store.vault)
        self._claimer = Claimer(self._ownership.id, self._lanes, self._due_in)
        self._settler = Settler(self._ownership.id, settings.retry_schedule, self._due_in)
        self._waker = Waker(settings)
        links = Links(Keyring(settings), settings.base_url, settings.media_link_ttl)
        self._crew = WorkerPool(
            self._came_back,
            lambda row: row.body if row.media is None else with_link(row.body, links.link(row.media)),
        )
        self._reports: collections.deque[Report] = collections.deque()
        self._unsettled: list[Report] = []  # gathered; only settled once the transaction is through
        self._something = threading.Event()
        self._look = True
        self._stopping = False
        self._turn = 0
        self._came = 0  # reports that the last round found
        self._next_due = 0.0  # monotonic
        self._asked_at = self._polled_at = self._worked_at = self._flagged_at = self._looked_at = 0.0
        self._look_costs = 0.0
        self._thread = threading.Thread(target=self._run, name="dispatcher", daemon=True)

    def start(self) -> None:
        self._ownership.take()
        self._crew.start()
        self._waker.start()
        self._thread.start()

    def kick(self) -> None:
        """Something may be due."""
        self._look = True
        self._something.set()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        """Claim no more, give attempts in flight their time, cut off the rest, settle, free everything."""
        self._stopping = True
        self._crew.stop()
        self._something.set()
        self._thread.join(GRACE_SECONDS)
        if self._thread.is_alive():
            log.warning("attempts cut off by the stop; they are tried again at the next start")
            self._crew.cut()
            self._thread.join(GRACE_SECONDS / 2)
        self._crew.end()
        self._waker.stop()
        self._ownership.leave()

    def _came_back(self, report: Report) -> None:
        self._reports.append(report)
        self._something.set()

    # --- the dispatcher's thread from here on ---

    def _run(self) -> None:
        pause = _BACK_OFF[0]
        trust(None, True)  # reading all certificates takes a tenth of a second: not in a transaction
        try:
            while not (self._stopping and not self._claimer.under_way and not self._reports):
                self._something.wait(self._wait_seconds())
                self._something.clear()
                if self._claimer.fast or self._came > 1:
                    time.sleep(_GATHER_SECONDS)
                try:
                    self._round()
                    pause = _BACK_OFF[0]
                except Busy as error:
                    log.warning("outbox unavailable; trying again", extra={"reason": error, "retry_s": pause})
                    time.sleep(pause)
                    pause = min(pause * 2, _BACK_OFF[1])
        except Replaced as error:
            log.warning("dispatcher replaced; the process starts anew", extra={"reason": error})
            self._on_fault()
        except Exception:
            log.exception("dispatcher ended by an internal error; the process starts anew")
            self._on_fault()

    def _wait_seconds(self) -> float:
        if self._reports or self._unsettled or self._look:
            return 0.0
        now = time.monotonic()
        at = min(self._polled_at + POLL_SECONDS, max(self._next_due, now + 0.005))
        if now < self._worked_at + _AWAKE_SECONDS:
            at = min(at, self._next_look())
        return max(0.0, at - now)

    def _next_look(self) -> float:
        return self._looked_at + max(_LOOK_SECONDS, self._look_costs / _LOOK_SHARE)

    def _stay_awake(self) -> None:
        """There is work: look for more every few milliseconds, and let nobody wake us for it."""
        self._worked_at = now = time.monotonic()
        if now - self._flagged_at >= _FLAG_SECONDS:
            self._flagged_at = now
            self._waker.stay_awake()

    def _round(self) -> None:
        self._gather()
        if time.monotonic() >= self._polled_at + POLL_SECONDS:
            self._poll()
        candidates = self._candidates()
        if self._claimer.without_place and time.monotonic() - self._asked_at >= _HELP_SECONDS:
            self._asked_at = time.monotonic()
            self._waker.help()
        if not self._unsettled and not candidates:
            return
        tasks = self._transact(candidates)
        if self._unsettled or tasks:
            self._stay_awake()
        self._unsettled.clear()
        for task in tasks:
            self._claimer.count(task, 1)
            self._crew.take(task)

    def _transact(self, candidates: list[Lane]) -> list[Task]:
        """Settle and claim in one transaction. Where the database refuses a row it is done again with care,
        which costs more and sets that row apart."""
        try:
            return self._transact_once(candidates, careful=False)
        except Exception as error:
            if not row_errors.of_one_row(error):
                raise
            log.warning(
                "database refused a row; its transaction is repeated with care",
                extra={"reason": row_errors.reason(error)},
            )
        return self._transact_once(candidates, careful=True)

    def _transact_once(self, candidates: list[Lane], *, careful: bool) -> list[Task]:
        try:
            with (
                contextlib.ExitStack() as until_committed,
                self._store.direct(wait=None, careful=careful) as direct,
            ):
                if self._store.sqlite:  # all other writers wait for this
                    until_committed.enter_context(self._crew.rest)
                return self._turn_over(direct, candidates)
        except Exception:
            self._lanes.doubt()
            self._look = True
            raise

    def _gather(self) -> None:
        self._came = len(self._reports)
        while self._reports:
            report = self._reports.popleft()
            self._unsettled.append(report)
            if report.last:
                self._claimer.count(report.task, -1)

    def _poll(self) -> None:
        """What is not said by any wake-up: dead workers, webhooks paused or deleted, our own beat."""
        self._polled_at = time.monotonic()
        self._look = True
        if not self._unsettled:
            for webhook_id in self._lanes.forget_unused():
                self._settler.forget(webhook_id)
        self._ownership.check()
        with self._store.direct_read() as direct:
            self._ownership.confirm(direct)
        with self._store.read() as session:
            connection = session.connection()
            dead = self._ownership.dead_workers(connection)
            unsettled = [] if self._stopping else hold.unsettled(connection)
            unsettled = [one for one in unsettled if one not in row_errors.left_alone("webhook")]
        if not dead and not unsettled and not self._ownership.beat_is_due:
            return
        with self._store.write(wait=None) as session:
            self._ownership.beat(session.connection())
        for worker in dead:
            with self._store.direct(wait=None) as direct:
                rows = free(direct, worker)
            log.warning(
                "worker is gone; its deliveries are sent again", extra={"worker": worker, "deliveries": rows}
            )
            self._ownership.forget(worker)
        for webhook_id in unsettled:
            with self._store.direct(wait=None) as direct:
                error = direct.tried(functools.partial(hold.step, direct, webhook_id))
                if error is not None:
                    row_errors.leave("webhook", webhook_id, error)

    def _candidates(self) -> list[Lane]:
        """Lanes to claim from: ours with more to do, and those with something due as we last saw it."""
        if self._stopping:
            return []
        found = self._lanes.with_more()
        started = time.monotonic()
        awake = started < self._worked_at + _AWAKE_SECONDS and started >= self._next_look()
        if self._look or awake or started >= self._next_due:
            self._look = False
            self._looked_at = started
            processor = time.thread_time()  # waiting for the interpreter costs nobody anything
            self._see(now_ms())
            self._look_costs = time.thread_time() - processor
        found |= self._lanes.waiting
        lanes = list(found.values())
        if lanes:  # another one goes first in each round
            self._turn = (self._turn + 1) % len(lanes)
        return self._claimer.with_place(lanes[self._turn :] + lanes[: self._turn])

    def _see(self, now: int) -> None:
        """Look which lanes have something due, and when the next one will have."""
        with self._store.direct_read() as direct:
            due = leases.due_lanes(direct, self._ownership.id, now)
        self._next_due = time.monotonic() + POLL_SECONDS
        left = row_errors.left_alone("lane")
        due = [lane for lane in due if lane.webhook_id not in left]
        self._lanes.waiting = {
            lane.webhook_id: self._lanes.lane(lane.webhook_id) for lane in due if lane.due_at <= now
        }
        for lane in due:
            if lane.due_at > now:
                self._due_in(lane.due_at - now)

    def _due_in(self, milliseconds: float) -> None:
        self._next_due = min(self._next_due, time.monotonic() + milliseconds / 1000)

    def _turn_over(self, direct: RawConnection, candidates: list[Lane]) -> list[Task]:
        now = now_ms()
        self._ownership.confirm(direct)
        self._lanes.keep_up(direct, now)
        self._lanes.own(direct, {report.task.lane for report in self._unsettled}, now)
        self._settler.settle(direct, self._unsettled, now)
        tasks = self._claimer.claim(direct, candidates, now)
        busy = {task.lane.webhook_id for task in tasks}
        self._lanes.give_up(direct, busy, self._claimer.without_place, now)
        return tasks
