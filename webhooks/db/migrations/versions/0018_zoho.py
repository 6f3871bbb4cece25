"""grants at Zoho PhoneBridge"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "zoho_account",
        sa.Column("id", _SERIAL, primary_key=True),
        sa.Column("location_id", _SERIAL, sa.ForeignKey("location.id"), nullable=False),
        sa.Column("webhook_id", _SERIAL, sa.ForeignKey("webhook.id")),
        sa.Column("client_id", sa.String(200), nullable=False),
        sa.Column("client_secret", sa.Text(), nullable=False),
        sa.Column("data_center", sa.String(10), nullable=False),
        sa.Column("accounts_url", sa.Text(), nullable=False),
        sa.Column("api_url", sa.Text(), nullable=False),
        sa.Column("refresh_token", sa.Text()),
        sa.Column("access_token", sa.Text()),
        sa.Column("expires_at", sa.BigInteger()),
        sa.Column("refreshing_until", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("refreshed_ms", sa.Text(), nullable=False, server_default=""),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("users", sa.JSON(), nullable=False),
        sa.Column("users_at", sa.BigInteger()),
        sa.Column("extensions", sa.JSON(), nullable=False),
        sa.Column("as_ended", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("location_id"),
        sa.UniqueConstraint("webhook_id"),
        sqlite_autoincrement=True,
    )
