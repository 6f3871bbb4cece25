"""why a webhook's last attempt failed; an index of what waits for a retry"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("lane", sa.Column("last_error", sa.Text()))
    retrying = sa.text("state = 'pending' AND tries > 0")
    op.create_index(
        "ix_delivery_retrying",
        "delivery",
        ["webhook_id", "state", "id"],
        sqlite_where=retrying,
        postgresql_where=retrying,
    )
