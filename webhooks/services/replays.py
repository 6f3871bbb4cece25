"""Replays: sending again all of a webhook's deliveries in a span of time."""

from collections.abc import Sequence

import sqlalchemy as sa
from pydantic import AliasChoices, Field, field_validator, model_validator

from webhooks.audit import record
from webhooks.db.models import Replay, Webhook
from webhooks.db.store import Store, now_ms
from webhooks.errors import Conflict, Invalid
from webhooks.outbox import replay
from webhooks.outbox.replay import Span
from webhooks.outbox.wakeup import Waker
from webhooks.parsing import Input, Moment
from webhooks.services.lookup import existing_webhook, row_or_404

_MOVES = {"pause": ("running", "paused"), "resume": ("paused", "running")}


class ReplayInput(Input):
    """Which deliveries to send again: accepted from ``since`` to ``until`` (None: now), in these states."""

    since: Moment = Field(title="Accepted since")
    until: Moment | None = Field(default=None, title="Until")
    states: tuple[str, ...] = Field(
        default=("failed",), title="State", validation_alias=AliasChoices("states", "state")
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


class Replays:
    """Raises NotFound for an unknown id, Conflict where the state forbids it, Busy as the Store does."""

    def __init__(self, store: Store, waker: Waker) -> None:
        self._store, self._waker = store, waker

    def count(self, webhook_id: int, wanted: ReplayInput) -> int:
        """How many deliveries such a replay would send again."""
        with self._store.read() as session:
            existing_webhook(session.get(Webhook, webhook_id), webhook_id)
            return replay.count(session.connection(), webhook_id, wanted.span())

    def begin(self, webhook_id: int, wanted: ReplayInput) -> Replay:
        """Begin to send deliveries again. Housekeeping does it, or whoever calls ``step``."""
        with self._store.write() as session:
            existing_webhook(session.get(Webhook, webhook_id), webhook_id)
            number = replay.begin(session.connection(), webhook_id, wanted.span())
            states, since = " or ".join(wanted.states), f"{wanted.since:%Y-%m-%d %H:%M:%S %Z}"
            said = f"replay {number} begun: all that is {states} since {since}"
            record(session.connection(), f"webhook {webhook_id}", said)
            return session.get_one(Replay, number)

    def step(self, replay_id: int) -> Replay:
        """Do one batch of a replay; the answer shows how far it is."""
        with self._store.write() as session:
            row_or_404(session.get(Replay, replay_id), "replay", replay_id)
            replay.step(session.connection(), replay_id)
            session.expire_all()
            stepped = session.get_one(Replay, replay_id)
        self._waker.wake_now()
        return stepped

    def latest(self, count: int = 50, webhook_id: int | None = None) -> Sequence[Replay]:
        """The newest replays, all or a webhook's."""
        query = sa.select(Replay).order_by(Replay.id.desc()).limit(count)
        if webhook_id is not None:
            query = query.where(Replay.webhook_id == webhook_id)
        with self._store.read() as session:
            return session.scalars(query).all()

    def get(self, replay_id: int) -> Replay:
        with self._store.read() as session:
            return row_or_404(session.get(Replay, replay_id), "replay", replay_id)

    def move(self, replay_id: int, move: str) -> Replay:
        """``pause``, ``resume`` or ``cancel`` a replay. What it has opened already goes on its way."""
        with self._store.write() as session:
            lock = {"with_for_update": True} if not self._store.sqlite else {}
            found = row_or_404(session.get(Replay, replay_id, **lock), "replay", replay_id)  # type: ignore[arg-type]
            if found.state not in ("running", "paused"):
                raise Conflict(f"Replay {replay_id} is {found.state} already.")
            if move == "cancel":
                found.state = "cancelled"
            else:
                before, found_state = _MOVES[move]
                if found.state != before:
                    raise Conflict(f"Replay {replay_id} is {found.state}.")
                found.state = found_state
            record(session.connection(), f"webhook {found.webhook_id}", f"replay {replay_id}: {move}")
            return found
