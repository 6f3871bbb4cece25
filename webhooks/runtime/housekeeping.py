"""The housekeeping process: checkpoints, purge, recordings, replays, erasures, a clock that was set back."""

import logging
import signal
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from webhooks.db.store import Store
from webhooks.errors import Unavailable
from webhooks.events import indexer
from webhooks.events.intake import Intake
from webhooks.outbox import clock_skew
from webhooks.outbox.wakeup import Waker
from webhooks.retention import media_cleanup
from webhooks.retention.purge import purge
from webhooks.runtime import logs
from webhooks.runtime.alerts import start_threads
from webhooks.runtime.checkpoint import checkpoint
from webhooks.runtime.supervisor import Flag
from webhooks.services.alerts import Alerts
from webhooks.services.erasures import Erasures
from webhooks.services.long_jobs import LongJobs
from webhooks.services.pbx_process import PbxProcess
from webhooks.services.refusals import Refusals
from webhooks.services.replays import Replays
from webhooks.services.waiting_calls import WaitingCalls
from webhooks.settings import Settings

_ROUND_SECONDS: Final = 1.0
_PURGE_SECONDS: Final = 60.0
_ALERTS_SECONDS: Final = 30.0
_PAUSE_SECONDS: Final = 0.02
_SHIFT_SECONDS: Final = 1.0  # of long work between two checkpoints
_TRACE_SECONDS: Final = 60.0  # at most one traceback a kind of error in this time
_BACK_OFF_SECONDS: Final = 5.0

log = logging.getLogger(__name__)
_traced_at: dict[type[Exception], float] = {}


def run(settings: Settings, name: str, pbx_wanted: Flag) -> int:
    """Run until SIGTERM or SIGINT. ``pbx_wanted`` is raised at the first phone system. Returns the status."""
    logs.set_up(name, settings.log)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    store = Store(settings, durable=False)
    purged_at = 0.0
    waker = Waker(settings)
    replays, erasures = Replays(store, waker), Erasures(settings, store)
    refusals, alerts = Refusals(store), Alerts(settings, store)
    start_threads(settings, store, alerts.notices, stop)
    waiting_calls = WaitingCalls(store, Intake(store, waker))
    pbx_process = PbxProcess(settings, store)
    going_on: list[bool] = []
    often: list[Callable[[], object]] = [
        lambda: call_for(pbx_process, pbx_wanted),
        waiting_calls.settle,
        lambda: checkpoint(settings, store),
        lambda: clock_skew.check(store),
        lambda: going_on.append(run_jobs(replays, stop)),
        lambda: going_on.append(run_jobs(erasures, stop)),
        lambda: follow(store, stop),
        Every(_ALERTS_SECONDS, alerts.look),
    ]
    seldom: list[Callable[[], object]] = [
        lambda: purge(settings, store, stop),
        lambda: media_cleanup.look_after(settings, store, stop),
        lambda: indexer.drop_older_than(store, settings.retention_days),
        lambda: alerts.forget_older_than(settings.retention_days),
        lambda: refusals.forget_older_than(settings.retention_days),
    ]
    once: list[Callable[[], object]] = [lambda: clock_skew.move_due_times(store)]  # if a crash cut it short
    while not stop.wait(0 if any(going_on) else _ROUND_SECONDS):
        going_on.clear()
        due = [*once, *often]
        if time.monotonic() - purged_at >= _PURGE_SECONDS:
            purged_at = time.monotonic()
            due += seldom
        failed = do_all(due, stop)
        once = [duty for duty in once if duty in failed]
        if failed:
            stop.wait(_BACK_OFF_SECONDS)
    return 0


class Every:
    """A duty that is done at most once in so many seconds."""

    def __init__(self, seconds: float, duty: Callable[[], object]) -> None:
        self._seconds, self._duty = seconds, duty
        self._done_at: float | None = None

    def __call__(self) -> None:
        now = time.monotonic()
        if self._done_at is None or now - self._done_at >= self._seconds:
            self._done_at = now
            self._duty()


def call_for(process: PbxProcess, wanted: Flag) -> None:
    """Raise the flag at which the supervisor starts a process, once there is work for it."""
    if not wanted and process.is_needed():
        wanted.hoist()


def do_all(duties: Sequence[Callable[[], object]], stop: threading.Event) -> list[Callable[[], object]]:
    """Do each duty, whether the others fail or not. Returns the duties that failed.

    A full disk and a database that is away are logged as one line a round.
    """
    failed: list[Callable[[], object]] = []
    reasons: set[str] = set()
    for duty in duties:
        if stop.is_set():
            break
        try:
            duty()
        except (Unavailable, OSError) as error:
            failed.append(duty)
            reasons.add(str(error))
        except Exception as error:
            failed.append(duty)
            now = time.monotonic()
            if now - _traced_at.get(type(error), -_TRACE_SECONDS) >= _TRACE_SECONDS:
                _traced_at[type(error)] = now
                log.exception("internal error in a duty; the others go on")
    for reason in sorted(reasons):
        log.warning("duty put off", extra={"reason": reason})
    return failed


def run_jobs(jobs: LongJobs[Any], stop: threading.Event) -> bool:
    """Do batches of all running jobs in turn, for a second at most, with pauses that let deliveries through.

    Returns whether some could go on at once.
    """
    until = time.monotonic() + _SHIFT_SECONDS
    going_on = list(jobs.running())
    while going_on and time.monotonic() < until and not stop.wait(_PAUSE_SECONDS):
        going_on = [job_id for job_id in going_on if jobs.step(job_id).goes_on]
    return bool(going_on)


def follow(store: Store, stop: threading.Event) -> None:
    """Index new events for a second at most."""
    until = time.monotonic() + _SHIFT_SECONDS
    while indexer.is_behind(store) and time.monotonic() < until:
        if indexer.index_batch(store) < indexer.BATCH and not indexer.renumber_batch(store):
            return
        if stop.wait(_PAUSE_SECONDS):
            return
