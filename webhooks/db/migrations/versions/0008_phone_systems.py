"""doors of phone systems: settings of a location, records that wait for their call's others, unknown kinds"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "phone_site",
        sa.Column("location_id", serial, sa.ForeignKey("location.id"), primary_key=True, autoincrement=False),
        sa.Column("time_zone", sa.String(60), nullable=False),
        sa.Column("internal", sa.Boolean(), nullable=False),
        sa.Column("country", sa.String(2), nullable=False),
        sa.Column("signing_secret", sa.Text()),
    )
    op.create_table(
        "call_view",
        sa.Column("id", serial, primary_key=True),
        sa.Column("location_id", serial, sa.ForeignKey("location.id"), nullable=False),
        sa.Column("thread_key", sa.String(200), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_call_view_location_id_thread_key", "call_view", ["location_id", "thread_key"])
    op.create_index("ix_call_view_due_at", "call_view", ["due_at"])
    op.create_table(
        "unknown_kind",
        sa.Column("location_id", serial, sa.ForeignKey("location.id"), primary_key=True, autoincrement=False),
        sa.Column("system", sa.String(20), primary_key=True),
        sa.Column("kind", sa.String(60), primary_key=True),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
    )
