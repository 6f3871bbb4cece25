"""What is set up: locations, webhooks with their lanes, connections, API keys; single values."""

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webhooks.db.models.columns import SERIAL, Id, Words
from webhooks.db.store import Model, Moment
from webhooks.vault import Sealed, SealedOptions


class Meta(Model):
    """Single values: the version of the configuration, the admin's password hash, the session epoch."""

    __tablename__ = "meta"
    key: Mapped[str] = mapped_column(sa.String(60), primary_key=True)
    value: Mapped[str] = mapped_column(sa.Text)


class Rotated:
    """A row whose token or secret may be rotated: the former one holds until ``previous_until``."""

    previous_until: Mapped[datetime | None] = mapped_column(Moment)

    @property
    def both_until(self) -> datetime | None:
        """Until when the former token or secret holds besides the present one; None if it does not."""
        until = self.previous_until
        return until if until and until > datetime.now(UTC) else None


class Location(Rotated, Model):
    """A PBX that may post events; it is known by its token, of which only the SHA-256 is kept."""

    __tablename__ = "location"
    __table_args__ = (
        sa.Index(
            "uq_location_name",
            "name",
            unique=True,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        ),
        SERIAL,
    )
    id: Mapped[int] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(100))
    token_hash: Mapped[bytes] = mapped_column(sa.LargeBinary(32), unique=True)
    previous_token_hash: Mapped[bytes | None] = mapped_column(sa.LargeBinary(32))
    state: Mapped[str] = mapped_column(sa.String(10), default="active")
    created_at: Mapped[datetime] = mapped_column(Moment)
    connected_at: Mapped[datetime | None] = mapped_column(Moment)  # "Authorize" was pressed for it
    deleted_at: Mapped[datetime | None] = mapped_column(Moment)
    webhooks: Mapped[list["Webhook"]] = relationship(back_populates="location")


class Webhook(Rotated, Model):
    """What to send where. ``types`` and ``statuses`` (of calls) are those of its events; empty means any.

    ``integration`` is "webhooks", "zapier" or "zoho".
    ``state`` is active, paused or disabled. ``resume`` is set while held deliveries are being sent on
    ("send") or dropped ("drop"); until the last of them is through, the state stays what it was.
    """

    __tablename__ = "webhook"
    __table_args__ = (SERIAL,)
    id: Mapped[int] = mapped_column(Id, primary_key=True)
    location_id: Mapped[int] = mapped_column(sa.ForeignKey("location.id"))
    kind: Mapped[str] = mapped_column(sa.String(10))
    integration: Mapped[str] = mapped_column(sa.String(10), default="webhooks", server_default="webhooks")
    types: Mapped[tuple[str, ...]] = mapped_column(Words, default=(), server_default="")
    statuses: Mapped[tuple[str, ...]] = mapped_column(Words, default=(), server_default="")
    url: Mapped[str] = mapped_column(sa.Text)
    description: Mapped[str] = mapped_column(sa.Text, default="")
    state: Mapped[str] = mapped_column(sa.String(10), default="active")
    reason: Mapped[str | None] = mapped_column(sa.Text)
    resume: Mapped[str | None] = mapped_column(sa.String(10))
    secret: Mapped[str] = mapped_column(Sealed(sqlite_length=100))
    previous_secret: Mapped[str | None] = mapped_column(Sealed(sqlite_length=100))
    options: Mapped[dict[str, object]] = mapped_column(SealedOptions, default=dict)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(Moment)
    deleted_at: Mapped[datetime | None] = mapped_column(Moment)
    location: Mapped[Location] = relationship(back_populates="webhooks")
    lane: Mapped["Lane"] = relationship(back_populates="webhook")

    @property
    def name(self) -> str:
        """What people call it: its description, or its number where it has none."""
        return self.description or f"Webhook {self.id}"


class Lane(Model):
    """A webhook's outgoing queue: the hot row, apart from the one the UI edits.

    One worker process owns it at a time. ``failures`` counts all in a row, ``broken`` the timeouts and
    connection errors in a row; from the fifth of these on, one probe at a time goes out from ``probe_at``.
    ``probe_at`` is also when a person said "try now". ``not_before`` is the end of a hold that the receiver
    asked for (``Retry-After``). ``last_error`` says why the last attempt failed, while all fail.
    """

    __tablename__ = "lane"
    webhook_id: Mapped[int] = mapped_column(
        sa.ForeignKey("webhook.id"), primary_key=True, autoincrement=False
    )
    owner: Mapped[str | None] = mapped_column(sa.String(32))
    not_before: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    probe_at: Mapped[int] = mapped_column(sa.BigInteger, default=0, server_default="0")
    failing_since: Mapped[datetime | None] = mapped_column(Moment)
    failures: Mapped[int] = mapped_column(default=0)
    broken: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str | None] = mapped_column(sa.Text)
    webhook: Mapped[Webhook] = relationship(back_populates="lane")


class Connection(Model):
    """A location that is connected to an integration other than Webhooks, which has ``connected_at``.

    ``api_key_id`` is the key by which the integration uses the API; None where it has none, or it was
    revoked.
    """

    __tablename__ = "connection"
    __table_args__ = (
        sa.UniqueConstraint("location_id", "integration"),
        sa.UniqueConstraint("api_key_id"),
        SERIAL,
    )
    id: Mapped[int] = mapped_column(Id, primary_key=True)
    location_id: Mapped[int] = mapped_column(sa.ForeignKey("location.id"))
    integration: Mapped[str] = mapped_column(sa.String(10))
    api_key_id: Mapped[int | None] = mapped_column(sa.ForeignKey("api_key.id", ondelete="SET NULL"))
    connected_at: Mapped[datetime] = mapped_column(Moment)
    location: Mapped[Location] = relationship()
    api_key: Mapped["ApiKey | None"] = relationship(back_populates="connection")


class ApiKey(Model):
    """A key for the HTTP API; only its SHA-256 is kept.

    ``scope`` is read or write. ``last_used_at`` is told to the minute (``services/key_uses.py``).
    ``connection`` is whose key it is, where it was made for an integration.
    """

    __tablename__ = "api_key"
    __table_args__ = (SERIAL,)
    id: Mapped[int] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(100), unique=True)
    key_hash: Mapped[bytes] = mapped_column(sa.LargeBinary(32), unique=True)
    scope: Mapped[str] = mapped_column(sa.String(10), default="write", server_default="write")
    created_at: Mapped[datetime] = mapped_column(Moment)
    last_used_at: Mapped[datetime | None] = mapped_column(Moment)
    connection: Mapped[Connection | None] = relationship(back_populates="api_key", passive_deletes=True)
