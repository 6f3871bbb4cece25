"""dramatiq's actor. A process of the peers' environment."""

import os

import dramatiq
import requests
from dramatiq.brokers.redis import RedisBroker

dramatiq.set_broker(RedisBroker(url=os.environ["BENCH_BROKER"]))


@dramatiq.actor
def post(url, event):
    requests.post(url, json=event)


enqueue = post.send
