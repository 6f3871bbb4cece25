"""RQ's worker, with the job's module loaded beforehand, as its performance notes advise.

The documented one forks for each job. The tuned one does not, so that it can keep a connection.
"""

import os

import posting
from redis import Redis
from rq import SimpleWorker, Worker

kind = SimpleWorker if posting.TUNED else Worker
kind(["default"], connection=Redis.from_url(os.environ["BENCH_BROKER"])).work()
