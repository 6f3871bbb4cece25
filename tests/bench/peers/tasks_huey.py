"""huey's task. A process of the peers' environment."""

import os

import requests
from huey import RedisHuey

huey = RedisHuey("bench", url=os.environ["BENCH_BROKER"])


@huey.task()
def post(url, event):
    requests.post(url, json=event)


enqueue = post
