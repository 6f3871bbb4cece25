"""Who takes part: how each peer's two processes start, how much it gets to do, and what it does not do."""

from dataclasses import dataclass
from typing import Final

_ALL: Final = "no signature, no address check, no log of attempts, no order"
_SECOND: Final = "a power cut loses its last second"


@dataclass(frozen=True)
class Peer:
    """``workers``: the commands that start two processes. ``count``: deliveries that take some seconds.

    ``lacks``: what it leaves out that we do, and what a ``kill -9`` or a power cut costs.
    """

    name: str
    module: str
    workers: tuple[str, ...]
    count: int
    lacks: str
    tuned: bool = True
    postgresql: bool = False

    @property
    def form(self) -> str:
        return "tuned" if self.tuned else "documented"

    @property
    def title(self) -> str:
        return f"{self.name}, {self.form}"


def _both(
    name: str,
    workers: tuple[str, ...],
    counts: tuple[int, int],
    lacks: str,
    *,
    postgresql: bool = False,
) -> tuple[Peer, Peer]:
    """A Python peer in both forms. ``counts`` are those of the documented and the tuned one."""
    module = f"tasks_{name.lower()}"
    return (
        Peer(name, module, workers, counts[0], f"{_ALL}; {lacks}", False, postgresql),
        Peer(name, module, workers, counts[1], f"{_ALL}; {lacks}", True, postgresql),
    )


PYTHON: Final = (
    *_both(
        "Celery", ("celery -A tasks_celery worker --concurrency=2 --loglevel=ERROR",), (2500, 5000),
        f"no retry by itself; a kill loses what runs, and what was fetched waits for an hour; {_SECOND}",
    ),
    *_both(
        "dramatiq", ("dramatiq tasks_dramatiq --processes 2",), (4000, 6000),
        f"what was fetched waits for a minute after a kill; {_SECOND}",
    ),
    *_both(
        "huey", ("huey_consumer tasks_huey.huey -k process -w 2",), (4000, 6000),
        f"no retry by itself; a kill loses what runs; {_SECOND}",
    ),
    *_both(
        "RQ", ("python worker_rq.py",) * 2, (400, 2500),
        f"no retry by itself; after a kill what ran is put among the failed; {_SECOND}",
    ),
    *_both(
        "taskiq", ("taskiq worker --workers 2 --log-level ERROR tasks_taskiq:broker",), (4000, 6000),
        f"with aiohttp; no retry by itself; what was fetched waits for ten minutes after a kill; {_SECOND}",
    ),
    *_both(
        "PgQueuer", ("python worker_pgqueuer.py",) * 2, (2000, 4000),
        "with aiohttp; no retry by itself; what was fetched waits for half a minute after a kill; "
        "a power cut loses nothing", postgresql=True,
    ),
)  # fmt: skip
BULLMQ: Final = Peer(
    "BullMQ with undici", "", ("node bullmq.mjs work",) * 2, 30_000,
    f"{_ALL}; 64 at a time in each process; what was fetched waits for half a minute after a kill; {_SECOND}",
)  # fmt: skip
