"""Wake-ups, the one place that talks to RQ: a job that wakes the worker process that takes it.

The database decides what is due; a wake-up only makes it quicker. One flag for all lanes keeps a busy ingest
from filling the queue: it is set with the job and deleted before the dispatcher looks. A dispatcher at work
looks by itself every few milliseconds, and keeps the flag set meanwhile: a job costs three milliseconds of
processor time, which are better spent on deliveries.
"""

import contextlib
import logging
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any, Final

import redis
import rq
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq.serializers import JSONSerializer

from webhooks.settings import Settings

QUEUE: Final = "deliver"
# Recordings to convert: queues and worker processes of their own, woken in the same way.
MEDIA_QUEUE: Final = "media"
SHORT_MEDIA_QUEUE: Final = "media-short"
_FLAG: Final = "spoke:wake:"
_FLAG_MS: Final = 1000
_SENT, _SUPPRESSED = b"sent", b"suppressed"  # what the flag says: a job is on its way, or none is needed
SUPPRESSED_MS: Final = 60  # a dispatcher that suppresses wake-ups looks once more after this time
_SUPPRESS_S: Final = 0.03  # how often the flag is set again meanwhile: before it runs out
_ANOTHER_FIRST_S: Final = 0.1  # at most so often another worker is woken; doubles …
_ANOTHER_LAST_S: Final = 1.6  # … up to here: whoever has joined goes on by itself while there is work
_GAP_S: Final = 0.015  # a wake-up costs both ends 3 ms: a busy ingest sends no more than one in so long …
_GAP_SUPPRESSED_S: Final = 0.03  # … and asks no more often while none is needed: until then, somebody looks
_AWAY_S: Final = 1.0  # after an error Redis is left alone for so long

log = logging.getLogger(__name__)


def quick_redis(settings: Settings) -> redis.Redis:
    """A client that gives up after half a second and tries nothing twice: for whoever must not wait."""
    return redis.Redis.from_url(
        settings.redis_address, socket_timeout=0.5, socket_connect_timeout=0.5, retry=Retry(NoBackoff(), 0)
    )


def deliver() -> None:
    """The RQ job of all queues. It is empty: what counts is that a worker took it, see ``_Worker``."""


class Interval:
    """A rate limit: passes once in ``first_s``. Where it is asked on and on it doubles, up to ``last_s``."""

    def __init__(self, first_s: float, last_s: float | None = None) -> None:
        self._first_s, self._last_s = first_s, last_s or first_s
        self._wait_s = first_s
        self._passed_s = float("-inf")

    def passes(self) -> bool:
        """Whether enough time has gone by since it last passed."""
        now_s = time.monotonic()
        since_s = now_s - self._passed_s
        if since_s < self._wait_s:
            return False
        asked_on = since_s < 2 * self._wait_s
        self._wait_s = min(2 * self._wait_s, self._last_s) if asked_on else self._first_s
        self._passed_s = now_s
        return True


class Waker:
    """Sends wake-ups from a thread of its own: a Redis that is away or hangs costs the caller nothing."""

    def __init__(self, settings: Settings, queue: str = QUEUE) -> None:
        self._settings, self._name = settings, queue
        self._requested = threading.Event()
        self._suppress = self._another = self._stopped = False
        self._suppress_interval = Interval(_SUPPRESS_S)
        self._another_interval = Interval(_ANOTHER_FIRST_S, _ANOTHER_LAST_S)
        self._thread = threading.Thread(target=self._run, name="waker", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped = True
        self._requested.set()

    def wake(self) -> None:
        """Ask for a wake-up, after the commit; returns at once."""
        self._requested.set()

    def wake_another(self) -> None:
        """Ask, now and then, for a wake-up past the flag, for another worker; returns at once."""
        if self._another_interval.passes():
            self._another = True
            self._requested.set()

    def suppress_wakeups(self) -> None:
        """Let nobody send wake-ups for ``SUPPRESSED_MS``; returns at once.

        The caller looks by itself until then, and once after: what is committed meanwhile wakes nobody.
        """
        if self._suppress_interval.passes():
            self._suppress = True
            self._requested.set()

    def wake_once(self) -> None:
        """Send one wake-up at once, for a process that ends soon. Redis being away does not matter."""
        with contextlib.suppress(redis.RedisError):
            self._send(self._queue())

    def _queue(self) -> rq.Queue:
        return rq.Queue(self._name, connection=quick_redis(self._settings), serializer=JSONSerializer)

    def _send(self, queue: rq.Queue) -> bool:
        """Do what was asked for. Returns whether a wake-up went out."""
        flag = _FLAG + self._name
        if self._suppress:
            self._suppress = False
            queue.connection.set(flag, _SUPPRESSED, px=SUPPRESSED_MS)
        elif self._another or queue.connection.set(flag, _SENT, nx=True, px=_FLAG_MS):
            self._another = False
            queue.enqueue(deliver, job_timeout=-1, result_ttl=0, failure_ttl=0)
            return True
        return False

    def _run(self) -> None:
        queue = self._queue()
        away, next_s = False, 0.0
        while True:
            self._requested.wait()
            time.sleep(max(0.0, next_s - time.monotonic()))
            self._requested.clear()
            if self._stopped:
                return
            next_s = time.monotonic() + _GAP_S
            try:
                if not self._send(queue):
                    next_s += _GAP_SUPPRESSED_S - _GAP_S
                if away:
                    log.info("redis is back")
                away = False
            except redis.RedisError as error:
                if not away:
                    log.warning("redis is away; deliveries go on by polling", extra={"reason": error})
                away = True
                time.sleep(_AWAY_S)


class _Worker(rq.SimpleWorker):
    """RQ's worker, in this process's main thread. For each job that it takes it calls ``on_wakeup``."""

    max_connection_wait_time = 1  # seconds; RQ's own back-off goes up to a minute
    on_wakeup: Callable[[], None]

    def perform_job(self, job: rq.job.Job, queue: rq.Queue, *args: Any) -> bool:
        # The flag goes first: an event that is committed after this moment sets it anew. A suppressed one
        # stays. It runs out by itself, and its dispatcher, in whatever process, looks once more after that:
        # without it each job would let the next one be sent.
        flag = _FLAG + queue.name
        if queue.connection.get(flag) != _SUPPRESSED:
            queue.connection.delete(flag)
        self.on_wakeup()
        return super().perform_job(job, queue, *args)


def work(settings: Settings, name: str, on_wakeup: Callable[[], None], queue_name: str = QUEUE) -> None:
    """Take wake-ups until a signal asks to stop, or until RQ gives up on Redis.

    RQ sets signal handlers and leaves them behind; it may still have to do with Redis for a while after one.
    ``name`` is for people, in RQ's lists and in ``ps``. RQ gets it with a random end: after a ``kill -9`` it
    refuses the same name for minutes.
    """
    connection = redis.Redis.from_url(settings.redis_address)
    queue = rq.Queue(queue_name, connection=connection, serializer=JSONSerializer)
    name = f"{name}-{secrets.token_hex(4)}"
    try:
        worker = _Worker([queue], name=name, connection=connection, serializer=JSONSerializer)
        worker.on_wakeup = on_wakeup
        # RQ tells of a Redis that is away once a second; the waker tells it once.
        worker.work(logging_level="CRITICAL")
    except redis.RedisError as error:
        log.info("no wake-ups from redis; polling", extra={"reason": error})
