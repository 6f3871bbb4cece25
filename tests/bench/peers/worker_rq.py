"""RQ's forking worker, with the job's module loaded beforehand, as its performance notes advise."""

import os

import tasks_rq  # noqa: F401
from redis import Redis
from rq import Worker

Worker(["default"], connection=Redis.from_url(os.environ["BENCH_BROKER"])).work()
