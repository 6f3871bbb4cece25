"""Capacity of the worker pool, given out to lanes while a round claims."""

from dataclasses import dataclass

from webhooks.dispatcher.lane import CHUNK, Lane
from webhooks.dispatcher.worker_pool import Task
from webhooks.outbox.claim import Chain


@dataclass(slots=True)
class Capacity:
    """Free places of the crew while a round gives them out."""

    chunks: int
    short: int
    slow: int
    cautious: int

    def of(self, lane: Lane) -> int:
        """How many rows a lane of its kind may have."""
        if lane.cautious:
            return min(self.slow, self.cautious)
        if lane.quick and (lane.deep or self.short > 0):
            return CHUNK if self.chunks > 0 else int(not lane.deep)
        return 0 if lane.quick else self.slow

    def take(self, lane: Lane, places: int = 1) -> None:
        """Take places for a lane of its kind; a negative number gives them back."""
        if lane.quick and not lane.cautious:
            self.chunks -= places * lane.deep
            self.short -= places * (not lane.deep)
        else:
            self.slow -= places
            self.cautious -= places if lane.cautious else 0

    def fill(self, tasks: list[Task]) -> None:
        for task in tasks:
            self.short -= task.fast and task.short
            self.chunks -= task.fast and not task.short
            self.slow -= not task.fast
            self.cautious -= task.cautious


def tasks_for(lane: Lane, chains: list[Chain], expires: float) -> list[Task]:
    """Tasks for a claim's chains: one for a fast thread, or one a chain for the pool."""
    if not lane.quick or lane.cautious:
        return [Task(lane, chain, expires, fast=False, cautious=lane.cautious) for chain in chains]
    rows = [row for chain in chains for row in chain]
    return [Task(lane, rows, expires, fast=True, cautious=False, short=len(rows) == 1)] if rows else []
