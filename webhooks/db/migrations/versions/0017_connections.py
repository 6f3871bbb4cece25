"""locations connected to Zapier and Zoho; unsubscriptions that Zapier is to be told of"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "connection",
        sa.Column("id", _SERIAL, primary_key=True),
        sa.Column("location_id", _SERIAL, sa.ForeignKey("location.id"), nullable=False),
        sa.Column("integration", sa.String(10), nullable=False),
        sa.Column("api_key_id", _SERIAL, sa.ForeignKey("api_key.id", ondelete="SET NULL")),
        sa.Column("connected_at", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("location_id", "integration"),
        sa.UniqueConstraint("api_key_id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "unsubscription",
        sa.Column("id", _SERIAL, primary_key=True),
        sa.Column("webhook_id", _SERIAL, sa.ForeignKey("webhook.id"), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_unsubscription_due_at", "unsubscription", ["due_at"])
