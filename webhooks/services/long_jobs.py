"""Long work that a person starts: a row with its progress, which goes on in batches and outlives a restart.

A kind of work subclasses ``LongJobs``, and begins its jobs by a method of its own. Housekeeping does the
batches, and a command those of its job; they may take turns at one.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy import orm

from webhooks.db.models import LongJob
from webhooks.db.store import Store
from webhooks.errors import Conflict
from webhooks.services.lookup import row_or_404

JobRow = TypeVar("JobRow", bound=LongJob)
_MOVES: Final = {  # the states that a move is made from, and the state that it leads to
    "pause": (("running",), "paused"),
    "resume": (("paused",), "running"),
    "cancel": (("running", "paused"), "cancelled"),
}
_ENDED: Final = ("cancelled", "done")


@dataclass(frozen=True, slots=True)
class Step(Generic[JobRow]):
    """A job after one batch. ``waiting``: something else has to happen before its next batch."""

    job: JobRow
    waiting: bool = False

    @property
    def goes_on(self) -> bool:
        """Whether the next batch can be done at once."""
        return self.job.state == "running" and not self.waiting


class LongJobs(ABC, Generic[JobRow]):
    """The jobs of one kind.

    Raises NotFound for an unknown id, Conflict where a job's state forbids a move, Unavailable as the Store
    does.
    """

    noun: ClassVar[str]
    moves: ClassVar[Sequence[str]] = tuple(_MOVES)
    _model: type[JobRow]

    def __init__(self, store: Store) -> None:
        self._store = store

    @abstractmethod
    def step(self, job_id: int) -> Step[JobRow]:
        """Do one batch of a job, if it is running."""

    def get(self, job_id: int) -> JobRow:
        """Read a job and its progress."""
        with self._store.read() as session:
            return row_or_404(session.get(self._model, job_id), f"{self.noun} {job_id}")

    def latest(self, count: int = 10, *criteria: sa.ColumnElement[bool]) -> Sequence[JobRow]:
        """Read the newest jobs, all or those that meet the criteria."""
        query = sa.select(self._model).where(*criteria).order_by(self._model.id.desc()).limit(count)
        with self._store.read() as session:
            return session.scalars(query).all()

    def running(self) -> Sequence[int]:
        """Read the ids of jobs that have more to do."""
        query = f"SELECT id FROM {self._model.__tablename__} WHERE state = 'running' ORDER BY id"
        with self._store.direct_read() as direct:
            return [job_id for (job_id,) in direct.rows(query)]

    def move(self, job_id: int, move: str) -> JobRow:
        """``pause``, ``resume`` or ``cancel`` a job. What it has done stays done."""
        if move not in self.moves:
            raise Conflict(f"This {self.noun} cannot be {move}d.")
        allowed, state = _MOVES[move]
        with self._store.write() as session:
            job = self._locked(session, job_id)
            if job.state not in allowed:
                already = " already" if job.state in _ENDED else ""
                raise Conflict(f"{self.noun.capitalize()} {job_id} is {job.state}{already}.")
            job.state = state
            if state in _ENDED:
                job.finished_at = datetime.now(UTC)
            self._record_move(session, job, move)
            return job

    @abstractmethod
    def _record_move(self, session: orm.Session, job: JobRow, move: str) -> None:
        """Write a move to the audit log."""

    def _locked(self, session: orm.Session, job_id: int) -> JobRow:
        """Read a job for a change: on PostgreSQL another process may be at it."""
        lock: dict[str, Any] = {} if self._store.sqlite else {"with_for_update": True}
        return row_or_404(session.get(self._model, job_id, **lock), f"{self.noun} {job_id}")
