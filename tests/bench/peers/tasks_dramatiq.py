"""dramatiq's actor. A module of the peers' environment."""

import os

import dramatiq
import posting
from dramatiq.brokers.redis import RedisBroker

dramatiq.set_broker(RedisBroker(url=os.environ["BENCH_BROKER"]))


@dramatiq.actor
def post(url, event):
    posting.post(url, event)


def fill(url, event, count):
    for _ in range(count):
        post.send(url, event)
