"""RQ's job. A module of the peers' environment."""

import os

from redis import Redis
from rq import Queue


def fill(url, event, count):
    queue = Queue(connection=Redis.from_url(os.environ["BENCH_BROKER"]))
    for _ in range(count):
        queue.enqueue("posting.post", url, event)
