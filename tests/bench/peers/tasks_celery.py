"""Celery's task. A module of the peers' environment."""

import os

import posting
from celery import Celery

app = Celery("tasks_celery", broker=os.environ["BENCH_BROKER"])


@app.task
def post(url, event):
    posting.post(url, event)


def fill(url, event, count):
    for _ in range(count):
        post.delay(url, event)
