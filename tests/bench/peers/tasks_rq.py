"""RQ's job. A process of the peers' environment."""

import functools
import os

import requests
from redis import Redis
from rq import Queue


def post(url, event):
    requests.post(url, json=event)


enqueue = functools.partial(
    Queue(connection=Redis.from_url(os.environ["BENCH_BROKER"])).enqueue, "tasks_rq.post"
)
