"""what the pages need: connected locations, changes, traffic, numbers, sessions, test inboxes"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Number = sa.String(length=40).with_variant(sa.String(length=40, collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("location", sa.Column("connected_at", sa.BigInteger(), nullable=True))
    op.execute("""
        UPDATE location SET connected_at = created_at WHERE EXISTS (
            SELECT 1 FROM webhook w WHERE w.location_id = location.id AND w.deleted_at IS NULL)
    """)
    op.create_table(
        "change",
        sa.Column("id", Id, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_change")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_change_subject"), "change", ["subject", "id"], unique=False)
    op.create_table(
        "traffic",
        sa.Column("webhook_id", Id, autoincrement=False, nullable=False),
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("delivered", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("milliseconds", sa.BigInteger(), nullable=False),
        sa.Column("slowest", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("webhook_id", "slot", name=op.f("pk_traffic")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "heard",
        sa.Column("location_id", Id, autoincrement=False, nullable=False),
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("events", sa.Integer(), nullable=False),
        sa.Column("unmatched", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("location_id", "slot", name=op.f("pk_heard")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "event_number",
        sa.Column("number", Number, nullable=False),
        sa.Column("event_id", Id, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("number", "event_id", name=op.f("pk_event_number")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "login_session",
        sa.Column("id_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.String(length=60), nullable=False),
        sa.Column("browser", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("id_hash", name=op.f("pk_login_session")),
    )
    op.create_table(
        "login_failure",
        sa.Column("address", sa.String(length=60), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_login_failure")),
    )
    op.create_table(
        "inbox",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("delay_ms", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbox")),
    )
    op.create_table(
        "inbox_message",
        sa.Column("id", Id, nullable=False),
        sa.Column("inbox_id", sa.String(length=32), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("sender", sa.String(length=60), nullable=False),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("answered", sa.Integer(), nullable=False),
        sa.Column("webhook_id", Id, nullable=True),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["inbox_id"], ["inbox.id"], name=op.f("fk_inbox_message_inbox_id_inbox"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbox_message")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_inbox_message_inbox_id"), "inbox_message", ["inbox_id", "id"], unique=False)
    # What is there already is looked through as well, by housekeeping.
    op.execute("INSERT INTO meta (key, value) VALUES ('digested_event', '0')")
