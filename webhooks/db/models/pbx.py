"""Connections to phone systems that we keep open ourselves."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webhooks.db.models.columns import SERIAL, Id
from webhooks.db.models.configuration import Location
from webhooks.db.store import Model, Moment
from webhooks.vault import Sealed


class PbxConnection(Model):
    """A location's phone system, the user that we log in as, and how the connection is.

    ``account``: host, port, user, tls and ca, as ``services.pbx.Account`` has them; the secret is apart.
    ``version`` counts changes of it. What follows ``created_at`` is written by the process that holds the
    connection, and never raises the configuration's version.
    """

    __tablename__ = "pbx_connection"
    __table_args__ = (SERIAL,)
    id: Mapped[int] = mapped_column(Id, primary_key=True)
    location_id: Mapped[int] = mapped_column(sa.ForeignKey("location.id"), unique=True)
    system: Mapped[str] = mapped_column(sa.String(20))
    account: Mapped[dict[str, object]] = mapped_column(sa.JSON)
    secret: Mapped[str] = mapped_column(Sealed())
    options: Mapped[dict[str, object]] = mapped_column(sa.JSON, default=dict)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(Moment)
    state: Mapped[str] = mapped_column(sa.String(20), default="waiting")
    detail: Mapped[str] = mapped_column(sa.Text, default="")
    since_at: Mapped[datetime | None] = mapped_column(Moment)
    last_message_at: Mapped[datetime | None] = mapped_column(Moment)
    last_event_at: Mapped[datetime | None] = mapped_column(Moment)
    events: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    seen_at: Mapped[datetime | None] = mapped_column(Moment)
    location: Mapped[Location] = relationship()
