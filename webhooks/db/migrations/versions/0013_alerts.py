"""refused requests; alerts, their settings and messages; expected silence; ends of certificates"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _refusals()
    _alerts()
    op.execute("INSERT INTO meta (key, value) VALUES ('alerts_looked_at', '0')")
    op.create_table(
        "expected_silence",
        sa.Column(
            "location_id", _SERIAL, sa.ForeignKey("location.id"), primary_key=True, autoincrement=False
        ),
        sa.Column("hours", sa.Integer(), nullable=False),
        sa.Column("since_at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "certificate",
        sa.Column("webhook_id", _SERIAL, sa.ForeignKey("webhook.id"), primary_key=True, autoincrement=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("ends_at", sa.BigInteger()),
        sa.Column("checked_at", sa.BigInteger(), nullable=False),
    )


def _refusals() -> None:
    op.create_table(
        "refusal",
        sa.Column("id", _SERIAL, primary_key=True),
        sa.Column("location_id", _SERIAL, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("door", sa.String(200), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("caller", sa.String(200), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_refusal_location_id_id", "refusal", ["location_id", "id"])
    op.create_index("ix_refusal_at", "refusal", ["at"])
    op.create_table(
        "refusal_count",
        sa.Column("location_id", _SERIAL, primary_key=True, autoincrement=False),
        sa.Column("slot", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("with_token", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )


def _alerts() -> None:
    op.create_table(
        "alert_settings",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("mail", sa.JSON()),
        sa.Column("password", sa.Text()),
        sa.Column("url", sa.Text()),
        sa.Column("secret", sa.Text()),
    )
    op.create_table(
        "matter",
        sa.Column("id", _SERIAL, primary_key=True),
        sa.Column("kind", sa.String(30), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger()),
        sa.Column("last_told_at", sa.BigInteger()),
        sa.Column("told", sa.Boolean(), nullable=False),
        sqlite_autoincrement=True,
    )
    still_open = sa.text("closed_at IS NULL")
    op.create_index(
        "uq_matter_open",
        "matter",
        ["kind", "subject"],
        unique=True,
        sqlite_where=still_open,
        postgresql_where=still_open,
    )
    op.create_index("ix_matter_kind_subject_id", "matter", ["kind", "subject", "id"])
    op.create_table(
        "notice",
        sa.Column("id", _SERIAL, primary_key=True),
        sa.Column("uid", sa.String(36), nullable=False),
        sa.Column("channel", sa.String(10), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("is_test", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.BigInteger()),
        sa.Column("answer", sa.Text()),
        sa.Column("error", sa.Text()),
        sqlite_autoincrement=True,
    )
    pending = sa.text("state = 'pending'")
    op.create_index(
        "ix_notice_due", "notice", ["channel", "due_at"], sqlite_where=pending, postgresql_where=pending
    )
    op.create_index("ix_notice_created_at", "notice", ["created_at"])
