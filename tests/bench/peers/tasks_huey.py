"""huey's task. A module of the peers' environment."""

import os

import posting
from huey import RedisHuey

huey = RedisHuey("bench", url=os.environ["BENCH_BROKER"])


@huey.task()
def post(url, event):
    posting.post(url, event)


def fill(url, event, count):
    for _ in range(count):
        post(url, event)
