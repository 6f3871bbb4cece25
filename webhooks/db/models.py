"""The tables. No I/O here; times are aware datetimes, kept as milliseconds UTC."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webhooks.db.store import Model, Moment
from webhooks.vault import Sealed, SealedHeaders

_serial = {"sqlite_autoincrement": True}  # an id is never given twice, not after a purge either


Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # SQLite serials have to be INTEGER


class Meta(Model):
    """Single values: the version of the configuration, the admin's password hash, the session epoch."""

    __tablename__ = "meta"
    key: Mapped[str] = mapped_column(sa.String(60), primary_key=True)
    value: Mapped[str] = mapped_column(sa.Text)


class Location(Model):
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
        _serial,
    )
    id: Mapped[int] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(100))
    token_hash: Mapped[bytes] = mapped_column(sa.LargeBinary(32), unique=True)
    state: Mapped[str] = mapped_column(sa.String(10), default="active")
    created_at: Mapped[datetime] = mapped_column(Moment)
    connected_at: Mapped[datetime | None] = mapped_column(Moment)  # "Authorize" was pressed for it
    deleted_at: Mapped[datetime | None] = mapped_column(Moment)
    webhooks: Mapped[list["Webhook"]] = relationship(back_populates="location")


class Webhook(Model):
    """What to send where. ``type`` or ``status`` of None means any.

    ``state`` is active, paused or disabled. ``resume`` is set while held deliveries are being sent on
    ("send") or dropped ("drop"); until the last of them is through, the state stays what it was.
    """

    __tablename__ = "webhook"
    __table_args__ = (_serial,)
    id: Mapped[int] = mapped_column(Id, primary_key=True)
    location_id: Mapped[int] = mapped_column(sa.ForeignKey("location.id"))
    kind: Mapped[str] = mapped_column(sa.String(10))
    type: Mapped[str | None] = mapped_column(sa.String(30))
    status: Mapped[str | None] = mapped_column(sa.String(30))
    url: Mapped[str] = mapped_column(sa.Text)
    description: Mapped[str] = mapped_column(sa.Text, default="")
    state: Mapped[str] = mapped_column(sa.String(10), default="active")
    reason: Mapped[str | None] = mapped_column(sa.Text)
    resume: Mapped[str | None] = mapped_column(sa.String(10))
    secret: Mapped[str] = mapped_column(Sealed(sqlite_length=100))
    previous_secret: Mapped[str | None] = mapped_column(Sealed(sqlite_length=100))
    previous_until: Mapped[datetime | None] = mapped_column(Moment)
    options: Mapped[dict[str, object]] = mapped_column(SealedHeaders, default=dict)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(Moment)
    deleted_at: Mapped[datetime | None] = mapped_column(Moment)
    location: Mapped[Location] = relationship(back_populates="webhooks")
    lane: Mapped["Lane"] = relationship(back_populates="webhook")


class Lane(Model):
    """A webhook's outgoing queue: the hot row, apart from the one the UI edits.

    One worker process owns it at a time. ``failures`` counts all in a row, ``broken`` the timeouts and
    connection errors in a row; from the fifth of these on, one probe at a time goes out from ``probe_at``.
    ``not_before`` is the end of a hold that the receiver asked for (``Retry-After``).
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
    webhook: Mapped[Webhook] = relationship(back_populates="lane")


class Event(Model):
    """What a PBX told us. ``body`` is the exact JSON text that receivers get.

    ``message_id`` is the webhook-id: the event's id as it came, or a UUIDv5 of it where the location had
    used that id before, for another type or status.
    ``matched`` is the number of deliveries made; it answers a duplicate, and it is in the books.
    """

    __tablename__ = "event"
    __table_args__ = (
        sa.UniqueConstraint("location_id", "uid", "type", "subtype"),
        sa.Index(None, "accepted_at"),
        sa.Index(None, "thread_key"),
        _serial,
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


_DUE = sa.text("state = 'pending'")
_OPEN = sa.text("state IN ('pending', 'held')")
_OWNED = sa.text("owner IS NOT NULL")


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
        sa.Index("ix_delivery_owner", "owner", sqlite_where=_OWNED, postgresql_where=_OWNED),
        sa.Index(None, "webhook_id", "state", "id"),
        sa.Index(None, "event_id"),
        _serial,
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
    status: Mapped[int | None]
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
    """A running worker process; who holds its lock is alive (dispatcher/liveness)."""

    __tablename__ = "worker"
    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    host: Mapped[str] = mapped_column(sa.String(255))
    pid: Mapped[int]
    started_at: Mapped[datetime] = mapped_column(Moment)
    beat_at: Mapped[datetime] = mapped_column(Moment)


class Tally(Model):
    """What the purge took away, so that the books still balance. State "matched": the purged events' sum."""

    __tablename__ = "tally"
    webhook_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    state: Mapped[str] = mapped_column(sa.String(10), primary_key=True)
    n: Mapped[int] = mapped_column(sa.BigInteger, default=0)


class Replay(Model):
    """Long work that a person started: sending again what failed (outbox/replay).

    ``state`` is running, paused, cancelled or done. ``states`` are those that are left, comma-separated;
    ``cursor_id`` is the last delivery looked at. ``since_ms`` and ``until_ms`` bound the time of acceptance.
    """

    __tablename__ = "replay"
    __table_args__ = (_serial,)
    id: Mapped[int] = mapped_column(Id, primary_key=True)
    webhook_id: Mapped[int] = mapped_column(sa.ForeignKey("webhook.id"))
    state: Mapped[str] = mapped_column(sa.String(10))
    states: Mapped[str] = mapped_column(sa.String(100))
    since_ms: Mapped[int] = mapped_column(sa.BigInteger)
    until_ms: Mapped[int] = mapped_column(sa.BigInteger)
    last_id: Mapped[int] = mapped_column(sa.BigInteger)
    cursor_id: Mapped[int] = mapped_column(sa.BigInteger)
    total: Mapped[int]
    done: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(Moment)
    finished_at: Mapped[datetime | None] = mapped_column(Moment)


class Erasure(Model):
    """Long work that a person started: taking away all events of a call or a number (webhooks/erasures).

    ``kind`` is call or number, ``key`` its thread_key or number key; it is forgotten with the last event.
    ``state`` is running, cancelled or done; the counts are what is gone so far, ``total`` the events to go.
    """

    __tablename__ = "erasure"
    __table_args__ = (_serial,)
    id: Mapped[int] = mapped_column(Id, primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(10))
    key: Mapped[str | None] = mapped_column(sa.String(200))
    state: Mapped[str] = mapped_column(sa.String(10))
    total: Mapped[int]
    events: Mapped[int]
    deliveries: Mapped[int]
    attempts: Mapped[int]
    media: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(Moment)
    finished_at: Mapped[datetime | None] = mapped_column(Moment)


class ApiKey(Model):
    """A key for the HTTP API; only its SHA-256 is kept."""

    __tablename__ = "api_key"
    __table_args__ = (_serial,)
    id: Mapped[int] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(100), unique=True)
    key_hash: Mapped[bytes] = mapped_column(sa.LargeBinary(32), unique=True)
    created_at: Mapped[datetime] = mapped_column(Moment)


class Change(Model):
    """Who changed what, when: one sentence, never a secret (webhooks/changes)."""

    __tablename__ = "change"
    __table_args__ = (sa.Index("ix_change_subject", "subject", "id"), _serial)
    id: Mapped[int] = mapped_column(Id, primary_key=True)
    at: Mapped[datetime] = mapped_column(Moment)
    actor: Mapped[str] = mapped_column(sa.String(200))
    subject: Mapped[str] = mapped_column(sa.String(200))
    text: Mapped[str] = mapped_column(sa.Text)


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
    """A location's events in one quarter of an hour, as ``Traffic``; gathered by events/indexer."""

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
    status: Mapped[int]
    delay_ms: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(Moment)


class InboxMessage(Model):
    """One request to a test inbox. ``headers`` is a JSON list of pairs; ``size`` is the whole body's.

    ``webhook_id`` is the webhook whose secret verifies the signature; ``verdict`` says it in words.
    """

    __tablename__ = "inbox_message"
    __table_args__ = (sa.Index("ix_inbox_message_inbox_id", "inbox_id", "id"), _serial)
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
