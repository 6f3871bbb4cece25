"""The dispatcher: one thread that empties the outbox, over all lanes, and hands the rows to a worker pool.

In each round it gathers reports, then settles them and claims what is due in one transaction, lane by lane
in turn. It looks at the database at each wake-up and every half second, and glances at it while it works.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from webhooks.db import row_errors
from webhooks.db.raw import RawConnection
from webhooks.db.store import Store, now_ms
from webhooks.dispatcher.claimer import Claimer
from webhooks.dispatcher.inbox import Inbox
from webhooks.dispatcher.lane import Lane
from webhooks.dispatcher.lane_leases import LaneLeases
from webhooks.dispatcher.liveness import Liveness
from webhooks.dispatcher.lookout import Lookout
from webhooks.dispatcher.maintenance import Maintenance
from webhooks.dispatcher.settler import Settler
from webhooks.dispatcher.task import Task
from webhooks.dispatcher.timers import Timers
from webhooks.dispatcher.waiting import Waiting
from webhooks.dispatcher.worker_pool import WorkerPool
from webhooks.errors import Replaced, Unavailable
from webhooks.keyring import Keyring
from webhooks.media.payload import with_link
from webhooks.media.signed_links import Links
from webhooks.outbound.address_rules import AddressRules
from webhooks.outbound.connector import Connector
from webhooks.outbound.forward_proxy import Proxy
from webhooks.outbound.tls import ssl_context
from webhooks.outbox.wakeup import Waker
from webhooks.settings import Settings

GRACE_S: Final = 10.0  # for attempts in flight at a stop
_GATHER_S: Final = 0.002  # reports of fast threads come in swarms: a round waits for some more of them
_PAUSE_FIRST_S: Final = 0.1  # after a transaction that could not be had; doubles …
_PAUSE_LAST_S: Final = 5.0  # … up to here

log = logging.getLogger(__name__)


class Dispatcher:
    """``start`` once in each worker process, ``wake`` at each wake-up, ``stop`` at the end."""

    def __init__(self, settings: Settings, store: Store, threads: int, on_fault: Callable[[], None]) -> None:
        """``threads``: the most attempts of the pool at a time.

        ``on_fault`` is called if the dispatcher ends by itself: the process has to start anew.
        """
        self._store, self._on_fault = store, on_fault
        connector = Connector(AddressRules(settings.allow_nets, settings.deny_nets), Proxy.of(settings.proxy))
        links = Links(Keyring(settings), settings.base_url, settings.media_link_ttl)
        self._liveness = Liveness(settings, store)
        self._maintenance = Maintenance(store, self._liveness)
        self._lookout = Lookout(store, self._liveness.id)
        self._waiting, self._timers = Waiting(), Timers()
        self._leases = LaneLeases(self._liveness.id, settings, connector, store, self._waiting, self._timers)
        self._claimer = Claimer(self._liveness.id, self._leases, self._waiting, self._timers, threads)
        self._settler = Settler(self._liveness.id, settings.retry_schedule, self._timers)
        self._inbox = Inbox()
        self._pool = WorkerPool(
            self._inbox.report,
            lambda row: row.body if row.media_id is None else with_link(row.body, links.link(row.media_id)),
            threads,
        )
        self._schedule = self._lookout.schedule
        self._waker = Waker(settings)
        self._stopping = False
        self._gathered = 0  # reports in the last round
        self._swept: list[Lane] = []  # lanes that the next transaction is to look after
        self._thread = threading.Thread(target=self._run, name="dispatcher", daemon=True)

    def start(self) -> None:
        """Register this worker and start its threads; after any fork."""
        self._liveness.register()
        self._pool.start()
        self._waker.start()
        self._thread.start()

    def wake(self) -> None:
        """Look at the database now: something may be due. For any thread."""
        self._inbox.wake()

    @property
    def running(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Claim no more, give attempts in flight their time, abort the rest, settle, release everything."""
        self._stopping = True
        self._pool.stop()
        self._inbox.interrupt()
        self._thread.join(GRACE_S)
        if self._thread.is_alive():
            log.warning("attempts cut off by the stop; they are tried again at the next start")
            self._pool.abort()
            self._thread.join(GRACE_S / 2)
        self._pool.close()
        self._waker.stop()
        self._liveness.deregister()

    # --- The dispatcher's thread from here on. ---

    def _run(self) -> None:
        pause_s = _PAUSE_FIRST_S
        ssl_context(None, True)  # reading all certificates takes a tenth of a second: not in a transaction
        try:
            while not (self._stopping and self._claimer.idle and not self._inbox.has_reports):
                self._inbox.wait(min(self._schedule.wait_s(time.monotonic()), self._timers.wait_s(now_ms())))
                if self._claimer.fast_threads_busy or self._gathered > 1:
                    time.sleep(_GATHER_S)
                try:
                    self._round()
                    pause_s = _PAUSE_FIRST_S
                except Unavailable as error:
                    why = {"reason": error, "retry_s": pause_s}
                    log.warning("outbox unavailable; trying again", extra=why)
                    time.sleep(pause_s)
                    pause_s = min(pause_s * 2, _PAUSE_LAST_S)
        except Replaced as error:
            log.warning("dispatcher replaced; the process starts anew", extra={"reason": error})
            self._on_fault()
        except Exception:
            log.exception("dispatcher ended by an internal error; the process starts anew")
            self._on_fault()

    def _round(self) -> None:
        new_reports = self._inbox.gather()
        self._gathered = len(new_reports)
        for report in new_reports:
            if report.last:
                self._claimer.end(report.task)
            self._leases.note_report(report.task.lane)
        if self._schedule.poll_is_due(time.monotonic()):
            self._poll()
        candidates = self._candidates()
        if self._claimer.crowded_out:
            self._waker.wake_another()
        if not self._inbox.unsettled and not candidates and not self._swept:
            return
        tasks = self._transact(candidates)
        if self._inbox.unsettled or tasks:
            self._schedule.worked(time.monotonic())
            self._waker.suppress_wakeups()
        self._inbox.unsettled.clear()
        self._swept.clear()
        self._leases.prepare(now_ms())
        for task in tasks:
            # Counted before it is handed over: its report may be here at once.
            self._claimer.begin(task)
            self._pool.submit(task)

    def _poll(self) -> None:
        self._schedule.polled(time.monotonic())
        if not self._inbox.unsettled:  # a report still needs its lane as it is
            for webhook_id in self._leases.close_unused():
                self._settler.forget(webhook_id)
        self._swept = self._leases.resting  # what a page has held or dropped leaves a lane empty
        self._maintenance.run(apply_states=not self._stopping)

    def _candidates(self) -> list[Lane]:
        """Lanes to claim from now, as far as the pool has capacity."""
        woken = self._inbox.take_wakeup()
        now_s = time.monotonic()
        if self._stopping:
            self._schedule.look_begins(now_s)  # a request that nobody answers would forbid to wait …
            self._timers.pop_due(now_ms())  # … and so would a time that has come
            return []
        if woken or self._schedule.look_is_due(now_s):
            self._leases.note_found(self._lookout.look(now_s, self._leases.busy()), now_ms())
        elif self._schedule.glance_is_due(now_s) and (found := self._lookout.glance(now_s)):
            self._leases.note_found(found, now_ms())
        self._leases.note_time(now_ms())
        return self._claimer.take_turns()

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
                # Left last: attempts begin again only once the transaction is through.
                contextlib.ExitStack() as until_committed,
                self._store.direct(wait=None, careful=careful) as direct,
            ):
                if self._store.sqlite:  # all other writers of the appliance wait for this transaction
                    until_committed.enter_context(self._pool.pause)
                return self._settle_and_claim(direct, candidates)
        except Exception:
            self._leases.invalidate()
            self._schedule.request()
            raise

    def _settle_and_claim(self, direct: RawConnection, candidates: list[Lane]) -> list[Task]:
        now = now_ms()
        reports = self._inbox.unsettled
        self._liveness.check_registered(direct)
        self._leases.reload_if_changed(direct)
        reported = [report.task.lane for report in reports]
        self._leases.acquire(direct, candidates, reported, now)
        self._settler.settle(direct, reports, now)
        tasks = self._claimer.claim(direct, candidates, now)
        claimed = {task.lane.webhook_id for task in tasks}
        touched = (*candidates, *reported, *self._swept)
        self._leases.release_idle(direct, touched, claimed, self._claimer.has_room, now)
        return tasks
