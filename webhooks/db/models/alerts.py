"""Alerts: where they go, what is the matter, and the messages that tell of it."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from webhooks.db.models.columns import SERIAL, Id
from webhooks.db.models.configuration import Rotated
from webhooks.db.store import Model, Moment
from webhooks.vault import Sealed


class AlertSettings(Rotated, Model):
    """Where alerts go: one row, of id 1. ``mail`` is None, or as ``services.alert_settings.Mail`` has it.

    ``password`` is the mail server's; ``secret`` signs what goes to ``url``, and until ``previous_until``
    ``previous_secret`` does as well.
    """

    __tablename__ = "alert_settings"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    mail: Mapped[dict[str, object] | None] = mapped_column(sa.JSON(none_as_null=True))
    password: Mapped[str | None] = mapped_column(Sealed())
    url: Mapped[str | None] = mapped_column(sa.Text)
    secret: Mapped[str | None] = mapped_column(Sealed())
    previous_secret: Mapped[str | None] = mapped_column(Sealed())


class Matter(Model):
    """Something that needs a person, from ``opened_at`` to ``closed_at``: of a kind and subject one is open.

    ``last_told_at`` is when an alert about this kind and subject was last queued, also for an earlier row.
    ``told``: about this row.
    """

    __tablename__ = "matter"
    __table_args__ = (
        sa.Index(
            "uq_matter_open",
            "kind",
            "subject",
            unique=True,
            sqlite_where=sa.text("closed_at IS NULL"),
            postgresql_where=sa.text("closed_at IS NULL"),
        ),
        sa.Index(None, "kind", "subject", "id"),
        SERIAL,
    )
    id: Mapped[int] = mapped_column(Id, primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(30))
    subject: Mapped[str] = mapped_column(sa.String(200))
    text: Mapped[str] = mapped_column(sa.Text)
    opened_at: Mapped[datetime] = mapped_column(Moment)
    closed_at: Mapped[datetime | None] = mapped_column(Moment)
    last_told_at: Mapped[datetime | None] = mapped_column(Moment)
    told: Mapped[bool] = mapped_column(default=False)


class Notice(Model):
    """A message about a matter, on its way by ``channel``: mail or url. A test has no matter.

    ``state`` is pending, delivered or failed. ``due_at`` of one that is being sent is its lease's end.
    ``answer`` is what the other side said to it, ``error`` why the last try failed.
    """

    __tablename__ = "notice"
    __table_args__ = (
        sa.Index(
            "ix_notice_due",
            "channel",
            "due_at",
            sqlite_where=sa.text("state = 'pending'"),
            postgresql_where=sa.text("state = 'pending'"),
        ),
        sa.Index(None, "created_at"),
        SERIAL,
    )
    id: Mapped[int] = mapped_column(Id, primary_key=True)
    uid: Mapped[str] = mapped_column(sa.String(36))
    channel: Mapped[str] = mapped_column(sa.String(10))
    title: Mapped[str] = mapped_column(sa.Text)
    body: Mapped[str] = mapped_column(sa.Text)
    is_test: Mapped[bool]
    state: Mapped[str] = mapped_column(sa.String(10), default="pending")
    tries: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(Moment)
    due_at: Mapped[datetime] = mapped_column(Moment)
    settled_at: Mapped[datetime | None] = mapped_column(Moment)
    answer: Mapped[str | None] = mapped_column(sa.Text)
    error: Mapped[str | None] = mapped_column(sa.Text)


class ExpectedSilence(Model):
    """How long a location may be silent, in hours, before that is a matter; counted from ``since_at`` on."""

    __tablename__ = "expected_silence"
    location_id: Mapped[int] = mapped_column(
        sa.ForeignKey("location.id"), primary_key=True, autoincrement=False
    )
    hours: Mapped[int]
    since_at: Mapped[datetime] = mapped_column(Moment)


class Certificate(Model):
    """The end of the TLS certificate that a webhook's receiver shows; None where it could not be read."""

    __tablename__ = "certificate"
    webhook_id: Mapped[int] = mapped_column(
        sa.ForeignKey("webhook.id"), primary_key=True, autoincrement=False
    )
    url: Mapped[str] = mapped_column(sa.Text)
    ends_at: Mapped[datetime | None] = mapped_column(Moment)
    checked_at: Mapped[datetime] = mapped_column(Moment)
