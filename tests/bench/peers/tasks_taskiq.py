"""taskiq's task, over the broker that acknowledges. A module of the peers' environment."""

import asyncio
import os

import posting
from taskiq_redis import RedisStreamBroker

broker = RedisStreamBroker(url=os.environ["BENCH_BROKER"])


@broker.task
async def post(url: str, event: dict) -> None:
    await posting.post_async(url, event)


async def _fill(url, event, count):
    await broker.startup()
    for _ in range(count):
        await post.kiq(url, event)
    await broker.shutdown()


def fill(url, event, count):
    asyncio.run(_fill(url, event, count))
