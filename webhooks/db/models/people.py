"""What people do on the pages: the audit log, log-ins, test inboxes."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from webhooks.db.models.columns import SERIAL, Id
from webhooks.db.store import Model, Moment
from webhooks.vault import Sealed


class Change(Model):
    """Who changed what, when: one sentence, never a secret (``webhooks/audit.py``)."""

    __tablename__ = "change"
    __table_args__ = (sa.Index("ix_change_subject", "subject", "id"), SERIAL)
    id: Mapped[int] = mapped_column(Id, primary_key=True)
    at: Mapped[datetime] = mapped_column(Moment)
    actor: Mapped[str] = mapped_column(sa.String(200))
    subject: Mapped[str] = mapped_column(sa.String(200))
    text: Mapped[str] = mapped_column(sa.Text)


class LoginSession(Model):
    """A browser that is logged in; its cookie's random id is kept as SHA-256."""

    __tablename__ = "login_session"
    id_hash: Mapped[bytes] = mapped_column(sa.LargeBinary(32), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(Moment)
    seen_at: Mapped[datetime] = mapped_column(Moment)
    address: Mapped[str] = mapped_column(sa.String(60))
    browser: Mapped[str] = mapped_column(sa.String(200))


class LoginFailure(Model):
    """Wrong passwords in a row from one address; ``at`` is the last one's time."""

    __tablename__ = "login_failure"
    address: Mapped[str] = mapped_column(sa.String(60), primary_key=True)
    failures: Mapped[int]
    at: Mapped[datetime] = mapped_column(Moment)


class Inbox(Model):
    """A test inbox: what is posted to ``/inbox/<id>`` is shown, and answered after ``delay_ms``."""

    __tablename__ = "inbox"
    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(100))
    http_status: Mapped[int] = mapped_column("status")
    delay_ms: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(Moment)


class InboxMessage(Model):
    """One request to a test inbox. ``headers`` is a JSON list of pairs; ``size`` is the whole body's.

    ``webhook_id`` is the webhook whose secret verifies the signature; ``verdict`` says it in words.
    """

    __tablename__ = "inbox_message"
    __table_args__ = (sa.Index("ix_inbox_message_inbox_id", "inbox_id", "id"), SERIAL)
    id: Mapped[int] = mapped_column(Id, primary_key=True)
    inbox_id: Mapped[str] = mapped_column(sa.ForeignKey("inbox.id", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(Moment)
    sender: Mapped[str] = mapped_column(sa.String(60))
    headers: Mapped[str] = mapped_column(Sealed)
    body: Mapped[str] = mapped_column(sa.Text)
    size: Mapped[int]
    answered: Mapped[int]
    webhook_id: Mapped[int | None] = mapped_column(Id)
    verdict: Mapped[str] = mapped_column(sa.Text)
