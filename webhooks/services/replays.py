"""Replays: sending again all of a webhook's deliveries in a span of time."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from webhooks.audit import record
from webhooks.db.models import Replay, Webhook
from webhooks.db.store import Store, now_ms
from webhooks.errors import Conflict, Invalid
from webhooks.outbox import replay
from webhooks.outbox.replay import Span
from webhooks.outbox.wakeup import Waker
from webhooks.services.lookup import existing_webhook, row_or_404

_MOVES = {"pause": ("running", "paused"), "resume": ("paused", "running")}


class Replays:
    """Replays that people begin.

    Raises NotFound for an unknown id, Conflict where the state forbids it, Unavailable as the Store does.
    """

    def __init__(self, store: Store, waker: Waker) -> None:
        self._store, self._waker = store, waker

    def count(self, webhook_id: int, since: datetime, until: datetime | None, states: Sequence[str]) -> int:
        """How many deliveries a replay of the same arguments would send again."""
        with self._store.read() as session:
            existing_webhook(session.get(Webhook, webhook_id), webhook_id)
            return replay.count(session.connection(), webhook_id, _span(since, until, states))

    def begin(
        self, webhook_id: int, since: datetime, until: datetime | None, states: Sequence[str]
    ) -> Replay:
        """Send again what was accepted from ``since`` up to ``until`` and is in one of the ``states``.

        Housekeeping does it, or whoever calls ``step``.
        """
        with self._store.write() as session:
            existing_webhook(session.get(Webhook, webhook_id), webhook_id)
            number = replay.begin(session.connection(), webhook_id, _span(since, until, states))
            said = (
                f"replay {number} begun: all that is {' or '.join(states)} since {since:%Y-%m-%d %H:%M:%S %Z}"
            )
            record(session.connection(), f"webhook {webhook_id}", said)
            return session.get_one(Replay, number)

    def step(self, replay_id: int) -> Replay:
        """Do one batch of a replay; the answer shows how far it is."""
        with self._store.write() as session:
            row_or_404(session.get(Replay, replay_id), f"replay {replay_id}")
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
            return row_or_404(session.get(Replay, replay_id), f"replay {replay_id}")

    def move(self, replay_id: int, move: str) -> Replay:
        """``pause``, ``resume`` or ``cancel`` a replay. What it has opened already goes on its way."""
        with self._store.write() as session:
            lock = {"with_for_update": True} if not self._store.sqlite else {}
            found = row_or_404(session.get(Replay, replay_id, **lock), f"replay {replay_id}")  # type: ignore[arg-type]
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


def _span(since: datetime, until: datetime | None, states: Sequence[str]) -> Span:
    wrong = [state for state in states if state not in replay.RESENDABLE]
    if wrong or not states:
        raise Invalid(f"The states to send again are among {', '.join(replay.RESENDABLE)}.")
    if until is not None and since > until:
        raise Invalid("The end of the span has to be after its start.", "until")
    end = now_ms() + 1 if until is None else round(until.timestamp() * 1000)
    return Span(round(since.timestamp() * 1000), end, tuple(dict.fromkeys(states)))
