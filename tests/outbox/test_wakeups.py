"""Wake-ups by RQ: one at a time, and none while a dispatcher looks by itself."""

import signal
import uuid
from collections.abc import Iterator

import pytest
import rq
from appliance import Appliance, eventually
from rq.serializers import JSONSerializer

from webhooks.outbox import wakeup
from webhooks.outbox.wakeup import Waker, quick_redis
from webhooks.settings import Settings

pytestmark = pytest.mark.databases("one")


class Queue:
    """A queue of the test's own in the appliance's Redis, its waker, and a worker that counts."""

    def __init__(self, settings: Settings) -> None:
        self.name = f"test-{uuid.uuid4()}"
        self.redis = quick_redis(settings)
        self.queue = rq.Queue(self.name, connection=self.redis, serializer=JSONSerializer)
        self.waker = Waker(settings, self.name)
        self.woken = 0

    def work(self) -> None:
        """Take all jobs that are there."""
        worker = wakeup._Worker([self.queue], connection=self.redis, serializer=JSONSerializer)
        worker.on_wakeup = self._count
        worker.work(burst=True, logging_level="CRITICAL")

    def _count(self) -> None:
        self.woken += 1


@pytest.fixture
def queue(appliance: Appliance) -> Iterator[Queue]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    made = Queue(Settings(data_dir=appliance.folder / "data"))
    yield made
    made.waker.stop()
    made.queue.delete()
    for number, handler in before.items():  # RQ leaves its own behind
        signal.signal(number, handler)


def test_wake_ups_are_one_job_until_it_is_taken(queue: Queue) -> None:
    for _ in range(3):
        queue.waker.wake_once()
    assert queue.queue.count == 1
    queue.work()
    assert queue.woken == 1
    queue.waker.wake_once()
    assert queue.queue.count == 1


def test_a_job_that_is_taken_leaves_wake_ups_suppressed(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wakeup, "SUPPRESSED_MS", 60_000)
    queue.waker.wake_once()
    queue.waker.start()
    queue.waker.suppress_wakeups()
    eventually(lambda: queue.redis.pttl(f"spoke:wake:{queue.name}") > 1000)
    queue.work()
    assert queue.woken == 1
    queue.waker.wake_once()
    assert queue.queue.count == 0
