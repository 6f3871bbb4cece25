"""The one place that talks to RQ: a job that wakes the engine of the worker process that takes it.

The database decides what is due; a wake-up only makes it quicker. One flag for all lanes keeps a busy hook
from filling the queue: it is set with the job and deleted before the engine looks. An engine that is at work
looks by itself every few milliseconds, and keeps the flag set meanwhile: a job costs three milliseconds of
processor time, which are better spent on deliveries.
"""

import contextlib
import logging
import secrets
import threading
import time
from collections.abc import Callable
from typing import Final

import redis
import rq
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq.serializers import JSONSerializer

from webhooks.settings import Settings

QUEUE: Final = "deliver"
# Recordings to convert: queues and worker processes of their own, the same way.
MEDIA_QUEUE: Final = "media"
SHORT_MEDIA_QUEUE: Final = "media-short"
_FLAG: Final = "spoke:wake:"
_FLAG_MS: Final = 1000
AWAKE_MS: Final = 30  # an engine that keeps the flag set looks once more after it has run out
_GAP_SECONDS: Final = 0.015  # a wake-up costs both ends 3 ms: a busy hook sends no more than one in so long
_AWAY_SECONDS: Final = 1.0  # after an error Redis is left alone for so long

log = logging.getLogger(__name__)
_kick: Callable[[], None] | None = None


def quick_redis(settings: Settings) -> redis.Redis:
    """A client that gives up after half a second and tries nothing twice: for whoever must not wait."""
    return redis.Redis.from_url(
        settings.redis_address, socket_timeout=0.5, socket_connect_timeout=0.5, retry=Retry(NoBackoff(), 0)
    )


def deliver() -> None:
    """The RQ job of all queues. The flag goes first: an event committed after this moment sets it anew."""
    job = rq.get_current_job()
    if job is not None:
        job.connection.delete(_FLAG + job.origin)
    if _kick is not None:
        _kick()


class Waker:
    """Sends wake-ups from a thread of its own: a Redis that is away or hangs costs the caller nothing."""

    def __init__(self, settings: Settings, queue: str = QUEUE) -> None:
        self._settings, self._name = settings, queue
        self._wanted = threading.Event()
        self._awake = self._urgent = self._stopped = False
        self._thread = threading.Thread(target=self._run, name="waker", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped = True
        self._wanted.set()

    def wake(self) -> None:
        """Ask for a wake-up, after the commit; returns at once."""
        self._wanted.set()

    def help(self) -> None:
        """Ask for a wake-up although one of us is awake; returns at once."""
        self._urgent = True
        self._wanted.set()

    def stay_awake(self) -> None:
        """No wake-ups for the next ``AWAKE_MS``: the caller looks by itself until then, and once after."""
        self._awake = True
        self._wanted.set()

    def wake_now(self) -> None:
        """Send one wake-up at once, for a process that ends soon. Redis being away does not matter."""
        with contextlib.suppress(redis.RedisError):
            self._send(self._queue())

    def _queue(self) -> rq.Queue:
        return rq.Queue(self._name, connection=quick_redis(self._settings), serializer=JSONSerializer)

    def _send(self, queue: rq.Queue) -> None:
        flag = _FLAG + self._name
        if self._awake:
            self._awake = False
            queue.connection.set(flag, 1, px=AWAKE_MS)
        elif self._urgent or queue.connection.set(flag, 1, nx=True, px=_FLAG_MS):
            self._urgent = False
            queue.enqueue(deliver, job_timeout=-1, result_ttl=0, failure_ttl=0)

    def _run(self) -> None:
        queue = self._queue()
        away, sent_at = False, 0.0
        while True:
            self._wanted.wait()
            time.sleep(max(0.0, sent_at + _GAP_SECONDS - time.monotonic()))
            self._wanted.clear()
            if self._stopped:
                return
            sent_at = time.monotonic()
            try:
                self._send(queue)
                if away:
                    log.info("redis is back")
                away = False
            except redis.RedisError as error:
                if not away:
                    log.warning("redis is away; deliveries go on by polling", extra={"reason": error})
                away = True
                time.sleep(_AWAY_SECONDS)


class _Worker(rq.SimpleWorker):
    max_connection_wait_time = 1  # seconds; RQ's own back-off goes up to a minute


def work(
    settings: Settings,
    name: str,
    kick: Callable[[], None],
    queue_name: str = QUEUE,
) -> None:
    """Take wake-ups until a signal asks to stop, or until RQ gives up on Redis.

    RQ sets signal handlers and leaves them behind; it may still have to do with Redis for a while after one.
    ``name`` is for people, in RQ's lists and in ``ps``. RQ gets it with a random end: after a ``kill -9`` it
    refuses the same name for minutes.
    """
    global _kick
    _kick = kick
    connection = redis.Redis.from_url(settings.redis_address)
    queue = rq.Queue(queue_name, connection=connection, serializer=JSONSerializer)
    name = f"{name}-{secrets.token_hex(4)}"
    try:
        worker = _Worker([queue], name=name, connection=connection, serializer=JSONSerializer)
        # RQ tells of a Redis that is away once a second; the waker tells it once.
        worker.work(logging_level="CRITICAL")
    except redis.RedisError as error:
        log.info("no wake-ups from redis; polling", extra={"reason": error})
