"""Replays: sending again all of a webhook's deliveries in a span of time."""

import logging
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import orm

from webhooks.audit import record
from webhooks.db.models import Replay, Webhook
from webhooks.db.store import Store, now_ms
from webhooks.errors import Invalid
from webhooks.outbox import replay
from webhooks.outbox.replay import Span
from webhooks.outbox.wakeup import Waker
from webhooks.services.long_jobs import LongJobs, Step
from webhooks.services.lookup import existing_webhook

log = logging.getLogger(__name__)


class Replays(LongJobs[Replay]):
    """Replays that people begin.

    Raises NotFound for an unknown id, Conflict where the state forbids it, Unavailable as the Store does.
    """

    noun = "replay"
    _model = Replay

    def __init__(self, store: Store, waker: Waker) -> None:
        super().__init__(store)
        self._waker = waker

    def count(self, webhook_id: int, since: datetime, until: datetime | None, states: Sequence[str]) -> int:
        """Count the deliveries that a replay of the same arguments would send again."""
        with self._store.read() as session:
            existing_webhook(session.get(Webhook, webhook_id), webhook_id)
            return replay.count(session.connection(), webhook_id, _span(since, until, states))

    def begin(
        self, webhook_id: int, since: datetime, until: datetime | None, states: Sequence[str]
    ) -> Replay:
        """Begin sending again what was accepted from ``since`` to ``until`` and is in one of the states."""
        with self._store.write() as session:
            existing_webhook(session.get(Webhook, webhook_id), webhook_id)
            number = replay.begin(session.connection(), webhook_id, _span(since, until, states))
            said = (
                f"replay {number} begun: all that is {' or '.join(states)} since {since:%Y-%m-%d %H:%M:%S %Z}"
            )
            record(session.connection(), f"webhook {webhook_id}", said)
            return session.get_one(Replay, number)

    def of_webhook(self, webhook_id: int, count: int) -> Sequence[Replay]:
        """Read a webhook's newest replays."""
        return self.latest(count, Replay.webhook_id == webhook_id)

    def step(self, job_id: int) -> Step[Replay]:
        """Open one batch of a replay's deliveries, and wake the dispatcher."""
        with self._store.write(wait=None) as session:
            self._locked(session, job_id)
            replay.step(session.connection(), job_id)
            session.expire_all()
            job = session.get_one(Replay, job_id)
        self._waker.wake_once()
        if job.state == "done":
            log.info("replay finished", extra={"replay": job_id})
        return Step(job)

    def _record_move(self, session: orm.Session, job: Replay, move: str) -> None:
        record(session.connection(), f"webhook {job.webhook_id}", f"replay {job.id}: {move}")


def _span(since: datetime, until: datetime | None, states: Sequence[str]) -> Span:
    wrong = [state for state in states if state not in replay.RESENDABLE]
    if wrong or not states:
        raise Invalid(f"The states to send again are among {', '.join(replay.RESENDABLE)}.")
    if until is not None and since > until:
        raise Invalid("The end of the span has to be after its start.", "until")
    end = now_ms() + 1 if until is None else round(until.timestamp() * 1000)
    return Span(round(since.timestamp() * 1000), end, tuple(dict.fromkeys(states)))
