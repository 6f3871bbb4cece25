"""Replays: sending again all of a webhook's deliveries in a span of time."""

import logging
from collections.abc import Sequence

from pydantic import AliasChoices, Field, field_validator, model_validator
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
from webhooks.services.parsing import Input, Moment, one_of_items

log = logging.getLogger(__name__)


class ReplayInput(Input):
    """Which deliveries to send again: accepted from ``since`` to ``until`` (None: now), in these states."""

    since: Moment = Field(title="Accepted since")
    until: Moment | None = Field(default=None, title="Until")
    states: tuple[str, ...] = Field(
        default=replay.DEFAULT,
        title="State",
        validation_alias=AliasChoices("states", "state"),
        json_schema_extra={**one_of_items(replay.RESENDABLE), "minItems": 1},
    )

    @field_validator("states")
    @classmethod
    def _can_be_resent(cls, states: tuple[str, ...]) -> tuple[str, ...]:
        if not states or not set(states) <= set(replay.RESENDABLE):
            raise ValueError(f"The states to send again are among {', '.join(replay.RESENDABLE)}.")
        return tuple(dict.fromkeys(states))

    @model_validator(mode="after")
    def _ends_after_its_start(self) -> "ReplayInput":
        if self.until is not None and self.since > self.until:
            raise Invalid("The end of the span has to be after its start.", "until")
        return self

    def span(self) -> Span:
        """The span of time in milliseconds since 1970, its end not included."""
        end_ms = now_ms() + 1 if self.until is None else round(self.until.timestamp() * 1000)
        return Span(round(self.since.timestamp() * 1000), end_ms, self.states)


class Replays(LongJobs[Replay]):
    """Replays that people begin.

    Raises NotFound for an unknown id, Conflict where the state forbids it, Unavailable as the Store does.
    """

    noun = "replay"
    _model = Replay

    def __init__(self, store: Store, waker: Waker) -> None:
        super().__init__(store)
        self._waker = waker

    def count(self, webhook_id: int, wanted: ReplayInput, most: int | None = None) -> int:
        """Count the deliveries that such a replay would send again; with ``most``, no further than needed to
        see that there are more.
        """
        with self._store.read() as session:
            existing_webhook(session.get(Webhook, webhook_id), webhook_id)
            bound = {} if most is None else {"most": most + 1}
            return replay.count(session.connection(), webhook_id, wanted.span(), **bound)

    def begin(self, webhook_id: int, wanted: ReplayInput) -> Replay:
        """Begin to send deliveries again. Housekeeping does it, or whoever calls ``step``."""
        with self._store.write() as session:
            existing_webhook(session.get(Webhook, webhook_id), webhook_id)
            number = replay.begin(session.connection(), webhook_id, wanted.span())
            states, since = " or ".join(wanted.states), f"{wanted.since:%Y-%m-%d %H:%M:%S %Z}"
            said = f"replay {number} begun: all that is {states} since {since}"
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
