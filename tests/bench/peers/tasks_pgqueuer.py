"""PgQueuer's entry point. A module of the peers' environment."""

import asyncio
import json
import os
from contextlib import asynccontextmanager

import asyncpg
import posting
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.queries import Queries

_AT_A_TIME = 500


@asynccontextmanager
async def main():
    queue = PgQueuer(AsyncpgDriver(await asyncpg.connect(os.environ["BENCH_DATABASE"])))

    @queue.entrypoint("post")
    async def post(job):
        await posting.post_async(*json.loads(job.payload))

    yield queue


async def _fill(url, event, count):
    connection = await asyncpg.connect(os.environ["BENCH_DATABASE"])
    queries = Queries(AsyncpgDriver(connection))
    await queries.install()
    payload = json.dumps([url, event]).encode()
    for begin in range(0, count, _AT_A_TIME):
        jobs = min(_AT_A_TIME, count - begin)
        await queries.enqueue(["post"] * jobs, [payload] * jobs, [0] * jobs)
    await connection.close()


def fill(url, event, count):
    asyncio.run(_fill(url, event, count))
