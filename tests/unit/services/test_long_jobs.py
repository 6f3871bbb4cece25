"""Long work is paused, resumed and cancelled by its state, and done by whoever takes a step."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any, cast

import pytest

from webhooks.cli.progress import run_job
from webhooks.db.models import LongJob, Replay
from webhooks.db.store import Store
from webhooks.errors import Conflict, NotFound
from webhooks.runtime.housekeeping import run_jobs
from webhooks.services.erasures import Erasures
from webhooks.services.long_jobs import LongJobs, Step


class Rows:
    """A store and its session, of these rows."""

    sqlite = True

    def __init__(self, *rows: LongJob) -> None:
        self._rows = {row.id: row for row in rows}

    @contextlib.contextmanager
    def write(self, wait: float | None = None) -> Iterator["Rows"]:
        yield self

    def get(self, _model: type[LongJob], job_id: int) -> LongJob | None:
        return self._rows.get(job_id)


class Jobs(LongJobs[Replay]):
    """Jobs that do ``batch`` in a step; the steps with numbers in ``waits`` have nothing to do."""

    noun = "replay"
    _model = Replay

    def __init__(self, *rows: Replay, batch: int = 1, waits: tuple[int, ...] = ()) -> None:
        super().__init__(cast(Store, Rows(*rows)))
        self.rows = {row.id: row for row in rows}
        self.batch, self.waits = batch, waits
        self.steps: list[int] = []
        self.moves_made: list[tuple[int, str]] = []

    def running(self) -> list[int]:
        return [row.id for row in self.rows.values() if row.state == "running"]

    def step(self, job_id: int) -> Step[Replay]:
        row = self.rows[job_id]
        self.steps.append(job_id)
        if len(self.steps) in self.waits:
            return Step(row, waiting=True)
        done = min(row.total, row.done + self.batch)
        row = replay(row.id, "done" if done == row.total else "running", row.total, done)
        self.rows[job_id] = row
        return Step(row)

    def _record_move(self, session: Any, job: Replay, move: str) -> None:
        self.moves_made.append((job.id, move))


def replay(job_id: int = 1, state: str = "running", total: int = 3, done: int = 0) -> Replay:
    return Replay(id=job_id, state=state, total=total, done=done)


@pytest.mark.parametrize(
    ("state", "move", "leads_to"),
    [
        ("running", "pause", "paused"), ("paused", "resume", "running"),
        ("running", "cancel", "cancelled"), ("paused", "cancel", "cancelled"),
    ],
)  # fmt: skip
def test_a_move_that_fits_the_state_is_made_and_recorded(state: str, move: str, leads_to: str) -> None:
    jobs = Jobs(replay(state=state))
    job = jobs.move(1, move)
    assert job.state == leads_to and jobs.moves_made == [(1, move)]
    assert (job.finished_at is not None) == (leads_to == "cancelled")


@pytest.mark.parametrize(
    ("state", "move", "says"),
    [
        ("paused", "pause", "Replay 1 is paused."), ("running", "resume", "Replay 1 is running."),
        *((state, move, f"Replay 1 is {state} already.")
          for state in ("done", "cancelled") for move in ("pause", "resume", "cancel")),
    ],
)  # fmt: skip
def test_a_move_that_does_not_fit_changes_nothing(state: str, move: str, says: str) -> None:
    jobs = Jobs(replay(state=state))
    with pytest.raises(Conflict) as caught:
        jobs.move(1, move)
    assert str(caught.value) == says and jobs.rows[1].state == state and not jobs.moves_made


def test_a_job_that_is_not_there_is_not_found() -> None:
    with pytest.raises(NotFound, match="There is no replay 7"):
        Jobs(replay()).move(7, "cancel")


def test_an_erasure_is_never_paused() -> None:
    assert set(Erasures.moves) == {"cancel"} and set(LongJobs.moves) == {"pause", "resume", "cancel"}


def test_a_step_goes_on_while_its_job_runs_and_waits_for_nothing() -> None:
    assert Step(replay()).goes_on
    assert not Step(replay(), waiting=True).goes_on
    assert not Step(replay(state="paused")).goes_on


def test_a_command_does_its_job_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webhooks.cli.progress._PAUSE_SECONDS", 0)
    jobs = Jobs(replay(total=5), batch=2, waits=(2,))
    job = run_job(jobs, jobs.rows[1], "Replay 1")
    assert (job.state, job.progress, len(jobs.steps)) == ("done", 5, 4)


def test_a_job_that_has_ended_takes_no_step() -> None:
    jobs = Jobs(replay(state="cancelled"))
    assert run_job(jobs, jobs.rows[1], "Replay 1").state == "cancelled"
    assert not jobs.steps


@pytest.fixture
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webhooks.runtime.housekeeping._PAUSE_SECONDS", 0)


@pytest.mark.usefixtures("_no_pauses")
def test_housekeeping_does_jobs_in_turn_to_their_end() -> None:
    jobs = Jobs(replay(1, total=2), replay(2, total=3), replay(3, "paused"))
    assert run_jobs(jobs, threading.Event()) is False
    assert jobs.steps == [1, 2, 1, 2, 2]


@pytest.mark.usefixtures("_no_pauses")
def test_housekeeping_leaves_a_job_that_waits_for_another_round() -> None:
    jobs = Jobs(replay(total=2), waits=(2,))
    assert run_jobs(jobs, threading.Event()) is False
    assert len(jobs.steps) == 2 and jobs.running() == [1]


@pytest.mark.usefixtures("_no_pauses")
def test_housekeeping_comes_back_at_once_where_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webhooks.runtime.housekeeping._SHIFT_SECONDS", 0)
    assert run_jobs(Jobs(replay()), threading.Event()) is True


def test_housekeeping_takes_no_step_once_it_is_to_stop() -> None:
    stop = threading.Event()
    stop.set()
    jobs = Jobs(replay())
    run_jobs(jobs, stop)
    assert not jobs.steps
