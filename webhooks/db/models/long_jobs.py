"""Long work that people start: replays and erasures."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from webhooks.db.models.columns import SERIAL, Id
from webhooks.db.store import Model, Moment


class LongJob(Model):
    """Long work, done a batch at a time: the columns that each kind's table has.

    ``state`` is running, paused, cancelled or done. ``total`` is how much there was to do at the start.
    """

    __abstract__ = True
    id: Mapped[int] = mapped_column(Id, primary_key=True)
    state: Mapped[str] = mapped_column(sa.String(10))
    total: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(Moment)
    finished_at: Mapped[datetime | None] = mapped_column(Moment)

    @property
    def progress(self) -> int:
        """How much of ``total`` is done."""
        raise NotImplementedError


class Replay(LongJob):
    """Sending again all of a webhook's deliveries in a span of time (``outbox/replay.py``).

    ``states`` are those that are left, comma-separated; ``cursor_id`` is the last delivery that was read.
    ``since_ms`` and ``until_ms`` bound the time of acceptance. ``done`` counts deliveries sent again.
    """

    __tablename__ = "replay"
    __table_args__ = (SERIAL,)
    webhook_id: Mapped[int] = mapped_column(sa.ForeignKey("webhook.id"))
    states: Mapped[str] = mapped_column(sa.String(100))
    since_ms: Mapped[int] = mapped_column(sa.BigInteger)
    until_ms: Mapped[int] = mapped_column(sa.BigInteger)
    last_id: Mapped[int] = mapped_column(sa.BigInteger)
    cursor_id: Mapped[int] = mapped_column(sa.BigInteger)
    done: Mapped[int]

    @property
    def progress(self) -> int:
        return self.done


class Erasure(LongJob):
    """Erasing all events of a call or a number (``services/erasures.py``); it is never paused.

    ``kind`` is call or number, ``key`` its thread_key or number key, forgotten at the end. The counts are
    what is gone so far; ``total`` is in events.
    """

    __tablename__ = "erasure"
    __table_args__ = (SERIAL,)
    kind: Mapped[str] = mapped_column(sa.String(10))
    key: Mapped[str | None] = mapped_column(sa.String(200))
    events: Mapped[int]
    deliveries: Mapped[int]
    attempts: Mapped[int]
    media: Mapped[int]

    @property
    def progress(self) -> int:
        return self.events
