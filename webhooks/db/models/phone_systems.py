"""Phone systems that post to a door of their own: what a location says of its one, and what came of it."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from webhooks.db.models.columns import SERIAL, Id
from webhooks.db.store import Model, Moment
from webhooks.vault import Sealed


class PhoneSite(Model):
    """What a location says of its phone system; a location without a row has the defaults.

    ``time_zone`` is that of times which name none, "" the appliance's. ``country`` (ISO 3166) is that of
    numbers which name none; "" leaves numbers as they come.
    """

    __tablename__ = "phone_site"
    location_id: Mapped[int] = mapped_column(
        sa.ForeignKey("location.id"), primary_key=True, autoincrement=False
    )
    time_zone: Mapped[str] = mapped_column(sa.String(60), default="")
    internal: Mapped[bool] = mapped_column(default=False)
    country: Mapped[str] = mapped_column(sa.String(2), default="")
    signing_secret: Mapped[str | None] = mapped_column(Sealed())


class CallView(Model):
    """One record's view of a call, as an event's JSON text, until the call's other records are there."""

    __tablename__ = "call_view"
    __table_args__ = (sa.Index(None, "location_id", "thread_key"), sa.Index(None, "due_at"), SERIAL)
    id: Mapped[int] = mapped_column(Id, primary_key=True)
    location_id: Mapped[int] = mapped_column(sa.ForeignKey("location.id"))
    thread_key: Mapped[str] = mapped_column(sa.String(200))
    due_at: Mapped[int] = mapped_column(sa.BigInteger)  # milliseconds UTC
    body: Mapped[str] = mapped_column(sa.Text)


class UnknownKind(Model):
    """Messages of a kind that this version does not know, counted."""

    __tablename__ = "unknown_kind"
    location_id: Mapped[int] = mapped_column(
        sa.ForeignKey("location.id"), primary_key=True, autoincrement=False
    )
    system: Mapped[str] = mapped_column(sa.String(20), primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(60), primary_key=True)
    count: Mapped[int] = mapped_column(sa.BigInteger)
    last_at: Mapped[datetime] = mapped_column(Moment)
