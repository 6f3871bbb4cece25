"""What goes through: events, deliveries, attempts, recordings; the workers."""

from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webhooks.db.models.columns import SERIAL, Id
from webhooks.db.models.configuration import Location, Webhook
from webhooks.db.store import Model, Moment


class Event(Model):
    """What a PBX told us. ``body`` is the exact JSON text that receivers get.

    ``message_id`` is the webhook-id: the event's id as it came, or a UUIDv5 of it where the location had
    used that id before, for another type or status.
    ``matched`` is the number of deliveries made; it answers a duplicate, and has to agree with the totals.
    """

    __tablename__ = "event"
    __table_args__ = (
        sa.UniqueConstraint("location_id", "uid", "type", "subtype"),
        sa.Index(None, "accepted_at"),
        sa.Index(None, "thread_key"),
        SERIAL,
    )
    id: Mapped[int] = mapped_column(Id, primary_key=True)
    location_id: Mapped[int] = mapped_column(sa.ForeignKey("location.id"))
    uid: Mapped[bytes] = mapped_column(sa.LargeBinary(16))
    message_id: Mapped[str] = mapped_column(sa.String(36))
    thread_key: Mapped[str] = mapped_column(sa.String(200))
    type: Mapped[str] = mapped_column(sa.String(30))
    subtype: Mapped[str] = mapped_column(sa.String(30))
    accepted_at: Mapped[datetime] = mapped_column(Moment)
    matched: Mapped[int]
    origin: Mapped[str] = mapped_column(sa.String(10))
    body: Mapped[str] = mapped_column(sa.Text)
    location: Mapped[Location] = relationship()
    deliveries: Mapped[list["Delivery"]] = relationship(back_populates="event", order_by="Delivery.id")


NOT_YET_MS: Final = 200_000_000_000_000  # ``due_at`` of a delivery whose recording is not ready
_DUE = sa.text("state = 'pending'")
_OPEN = sa.text("state IN ('pending', 'held')")
_OWNED = sa.text("owner IS NOT NULL")
_RETRYING = sa.text("state = 'pending' AND tries > 0")


class Delivery(Model):
    """One event on its way to one webhook: the outbox.

    ``due_at`` is when it may be claimed (a claimed row's is its lease's end), ``claims`` counts claims,
    ``tries`` the attempts of the present round (a resend starts a new round), ``attempts`` all of them.
    """

    __tablename__ = "delivery"
    __table_args__ = (
        sa.Index("ix_delivery_due", "webhook_id", "due_at", "id", sqlite_where=_DUE, postgresql_where=_DUE),
        sa.Index(
            "ix_delivery_open", "webhook_id", "thread_key", "id", sqlite_where=_OPEN, postgresql_where=_OPEN
        ),
        # The state is in it although it says nothing: SQLite would take the index by state instead.
        sa.Index(
            "ix_delivery_retrying",
            "webhook_id",
            "state",
            "id",
            sqlite_where=_RETRYING,
            postgresql_where=_RETRYING,
        ),
        sa.Index("ix_delivery_owner", "owner", sqlite_where=_OWNED, postgresql_where=_OWNED),
        sa.Index(None, "webhook_id", "state", "id"),
        sa.Index(None, "event_id"),
        SERIAL,
    )
    id: Mapped[int] = mapped_column(Id, primary_key=True)
    event_id: Mapped[int] = mapped_column(sa.ForeignKey("event.id"))
    webhook_id: Mapped[int] = mapped_column(sa.ForeignKey("webhook.id"))
    thread_key: Mapped[str] = mapped_column(sa.String(200))
    type: Mapped[str] = mapped_column(sa.String(30))
    subtype: Mapped[str] = mapped_column(sa.String(30))
    state: Mapped[str] = mapped_column(sa.String(10))
    reason: Mapped[str | None] = mapped_column(sa.Text)
    due_at: Mapped[datetime] = mapped_column(Moment)
    first_try_at: Mapped[datetime | None] = mapped_column(Moment)
    owner: Mapped[str | None] = mapped_column(sa.String(32))
    claims: Mapped[int] = mapped_column(default=0)
    tries: Mapped[int] = mapped_column(default=0)
    attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(Moment)
    settled_at: Mapped[datetime | None] = mapped_column(Moment)
    event: Mapped[Event] = relationship(back_populates="deliveries")
    webhook: Mapped[Webhook] = relationship()
    log: Mapped[list["Attempt"]] = relationship(order_by="Attempt.n")


class Attempt(Model):
    """One request and its outcome. ``status`` is None where no answer came; then ``error`` says why.

    ``milliseconds`` from the first step to the last byte kept. Headers are JSON objects as text; the
    request's body is the event's. Of a response 16 KiB are kept on failure, 1 KiB on success.
    """

    __tablename__ = "attempt"
    __table_args__ = ({"sqlite_with_rowid": False},)
    delivery_id: Mapped[int] = mapped_column(
        sa.ForeignKey("delivery.id"), primary_key=True, autoincrement=False
    )
    n: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    started_at: Mapped[datetime] = mapped_column(Moment)
    milliseconds: Mapped[int]
    http_status: Mapped[int | None] = mapped_column("status")
    error: Mapped[str | None] = mapped_column(sa.Text)
    request_headers: Mapped[str | None] = mapped_column(sa.Text)
    response_headers: Mapped[str | None] = mapped_column(sa.Text)
    response_body: Mapped[str | None] = mapped_column(sa.Text)


class Media(Model):
    """An event's recording. ``state`` is waiting (for its conversion), ready, failed or erased.

    ``size`` in bytes of the file that is there, a failed one's is what was sent; ``milliseconds`` is what it
    says it has until it is ready. ``error`` is a sentence for failed and erased ones, and for what is missing
    of one that is ready. ``tries`` counts conversions begun.
    """

    __tablename__ = "media"
    __table_args__ = (sa.Index(None, "state", "created_at"),)
    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    event_id: Mapped[int] = mapped_column(sa.ForeignKey("event.id"), unique=True)
    state: Mapped[str] = mapped_column(sa.String(10))
    filename: Mapped[str] = mapped_column(sa.Text)
    size: Mapped[int] = mapped_column(sa.BigInteger)
    milliseconds: Mapped[int | None] = mapped_column(sa.BigInteger)
    channels: Mapped[int | None]
    error: Mapped[str | None] = mapped_column(sa.Text)
    tries: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(Moment)
    finished_at: Mapped[datetime | None] = mapped_column(Moment)
    event: Mapped[Event] = relationship()


class Worker(Model):
    """A running worker process; who holds its lock is alive (``dispatcher/liveness.py``)."""

    __tablename__ = "worker"
    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    host: Mapped[str] = mapped_column(sa.String(255))
    pid: Mapped[int]
    started_at: Mapped[datetime] = mapped_column(Moment)
    beat_at: Mapped[datetime] = mapped_column(Moment)


class Unsubscription(Model):
    """A Zap's address that takes a ``DELETE``: its webhook ended on our side. Gone once it is settled.

    ``due_at`` of one that is being sent is its lease's end.
    """

    __tablename__ = "unsubscription"
    __table_args__ = (sa.Index(None, "due_at"), SERIAL)
    id: Mapped[int] = mapped_column(Id, primary_key=True)
    webhook_id: Mapped[int] = mapped_column(sa.ForeignKey("webhook.id"))
    url: Mapped[str] = mapped_column(sa.Text)
    tries: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(Moment)
    due_at: Mapped[datetime] = mapped_column(Moment)
