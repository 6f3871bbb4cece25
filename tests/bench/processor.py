"""Processor time of processes, which a busy machine disturbs less than it does rates."""

import contextlib
from collections.abc import Iterable

import psutil


def spent(roots: Iterable[int]) -> float:
    """Seconds of these processes and all that they started, the ended ones included that were waited for."""
    return sum(_of(process) for root in roots for process in _family(root))


def _family(root: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(root)
        return [parent, *parent.children(recursive=True)]
    return []


def _of(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.NoSuchProcess):
        return float(sum(process.cpu_times()[:4]))  # own and waited-for children's, user and system
    return 0.0
