"""What is counted and indexed, so that no page goes through all rows."""

from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from webhooks.db.models.columns import Id
from webhooks.db.store import Model, Moment


class Tally(Model):
    """Counts of what was removed, so that the totals still balance: a webhook's deliveries by state.

    State "matched", of webhook 0, is the sum of the removed events' ``matched``.
    """

    __tablename__ = "tally"
    webhook_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    state: Mapped[str] = mapped_column(sa.String(10), primary_key=True)
    n: Mapped[int] = mapped_column(sa.BigInteger, default=0)


SLOT_MS: Final = 900_000  # a quarter of an hour: no time zone's midnight lies inside one


class Traffic(Model):
    """A webhook's attempts in one quarter of an hour; ``slot`` counts those since 1970 UTC.

    ``milliseconds`` is the sum over the delivered ones, ``slowest`` the longest of them.
    """

    __tablename__ = "traffic"
    __table_args__ = ({"sqlite_with_rowid": False},)
    webhook_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    slot: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    delivered: Mapped[int]
    failed: Mapped[int]
    milliseconds: Mapped[int] = mapped_column(sa.BigInteger)
    slowest: Mapped[int]


class Heard(Model):
    """A location's events in one quarter of an hour, as ``Traffic``; gathered by ``events/indexer.py``."""

    __tablename__ = "heard"
    __table_args__ = ({"sqlite_with_rowid": False},)
    location_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    slot: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    events: Mapped[int]
    unmatched: Mapped[int]
    last_at: Mapped[datetime] = mapped_column(Moment)


class EventNumber(Model):
    """Which events a number took part in. ``number`` is written backwards: people know a number's end."""

    __tablename__ = "event_number"
    __table_args__ = ({"sqlite_with_rowid": False},)
    number: Mapped[str] = mapped_column(
        sa.String(40).with_variant(sa.String(40, collation="C"), "postgresql"), primary_key=True
    )
    event_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
