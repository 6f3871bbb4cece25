"""A task, the unit of work of the worker pool: rows of one lane for one thread. A report: what came of it."""

import enum
import threading
from dataclasses import dataclass, field

from webhooks.dispatcher.lane import Lane
from webhooks.outbound.sender import Outcome
from webhooks.outbox.rows import ClaimedRow


class TaskKind(enum.Enum):
    """Which threads a task is for, and so which slot of the pool's capacity it takes."""

    SINGLE = "one row, for a fast thread"
    BULK = "up to BULK_ROWS rows, for a fast thread"
    SLOW = "one call's batch, for the pool"
    PROBATION = "one row of a lane on probation, for the pool"

    @property
    def is_fast(self) -> bool:
        return self is TaskKind.BULK or self is TaskKind.SINGLE


@dataclass(eq=False, slots=True)
class Task:
    """Rows of one lane for one thread, which sends them in order and leaves off at the first failure.

    ``lease_end_s`` is on the monotonic clock. ``lock`` guards what stands below it: the thread at work and
    the watchdog, which may abandon a task that is stuck, both write there.
    """

    lane: Lane
    rows: list[ClaimedRow]
    lease_end_s: float
    kind: TaskKind
    lock: threading.Lock = field(default_factory=threading.Lock)
    sent: int = 0
    done: list[tuple[ClaimedRow, Outcome]] = field(default_factory=list)
    unsent: list[ClaimedRow] = field(default_factory=list)
    abandoned: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """Outcomes of a task. A task that is stuck reports twice; only its last report frees its slot."""

    task: Task
    done: list[tuple[ClaimedRow, Outcome]]
    unsent: list[ClaimedRow]
    last: bool
