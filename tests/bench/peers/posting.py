"""A task's request in both forms. A module of the peers' environment.

``documented``: as the first page of the client's documentation writes it, a connection a request.
``tuned``: one session a thread, or a loop, so that connections are kept.
"""

import os
import threading

import requests

TUNED = os.environ["BENCH_FORM"] == "tuned"
_own = threading.local()
_kept = None


def post(url, event):
    """For a task that blocks its thread."""
    if not TUNED:
        requests.post(url, json=event)
        return
    if not hasattr(_own, "session"):
        _own.session = requests.Session()
    _own.session.post(url, json=event)


async def post_async(url, event):
    """For a task on a loop."""
    import aiohttp

    global _kept
    if not TUNED:
        async with aiohttp.ClientSession() as session, session.post(url, json=event) as answer:
            await answer.read()
        return
    if _kept is None:
        _kept = aiohttp.ClientSession()
    async with _kept.post(url, json=event) as answer:
        await answer.read()
