"""Celery's task. A process of the peers' environment."""

import os

import requests
from celery import Celery

app = Celery("tasks_celery", broker=os.environ["BENCH_BROKER"])


@app.task
def post(url, event):
    requests.post(url, json=event)


enqueue = post.delay
