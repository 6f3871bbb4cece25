"""Requests of phone systems that were refused: the last of them as they came, and all of them counted."""

from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from webhooks.db.models.columns import SERIAL, Id
from webhooks.db.store import Model, Moment

NO_LOCATION: Final = 0  # of refusals without a token that a location has


class Refusal(Model):
    """A request that was refused; ``count`` of them that are alike and came in the same second.

    ``location_id`` is ``NO_LOCATION`` where no location has the token. ``door`` is method and path without
    token, ``body`` its beginning without tokens, ``size`` the whole body's bytes as announced.
    """

    __tablename__ = "refusal"
    __table_args__ = (sa.Index(None, "location_id", "id"), sa.Index(None, "at"), SERIAL)
    id: Mapped[int] = mapped_column(Id, primary_key=True)
    location_id: Mapped[int] = mapped_column(Id)
    at: Mapped[datetime] = mapped_column(Moment)
    door: Mapped[str] = mapped_column(sa.String(200))
    http_status: Mapped[int] = mapped_column("status")
    reason: Mapped[str] = mapped_column(sa.Text)
    caller: Mapped[str] = mapped_column(sa.String(200))
    body: Mapped[str] = mapped_column(sa.Text)
    size: Mapped[int] = mapped_column(sa.BigInteger)
    count: Mapped[int] = mapped_column(default=1)


class RefusalCount(Model):
    """A location's refusals in one quarter of an hour, as ``Heard``; those that were not kept count too.

    ``with_token``: those that brought a token.
    """

    __tablename__ = "refusal_count"
    __table_args__ = ({"sqlite_with_rowid": False},)
    location_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    slot: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    count: Mapped[int] = mapped_column(sa.BigInteger)
    with_token: Mapped[int] = mapped_column(sa.BigInteger)
    last_at: Mapped[datetime] = mapped_column(Moment)
