"""webhooks of several types and statuses; a location's former token, for a day"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    for column in ("types", "statuses"):
        op.add_column("webhook", sa.Column(column, sa.Text(), nullable=False, server_default=""))
    # A status never held for media: routing passed it over there.
    op.execute("""
        UPDATE webhook SET types = COALESCE(type, ''),
                           statuses = CASE WHEN kind = 'call' THEN COALESCE(status, '') ELSE '' END
    """)
    for column in ("type", "status"):
        op.drop_column("webhook", column)
    op.add_column("location", sa.Column("previous_token_hash", sa.LargeBinary(32)))
    op.add_column("location", sa.Column("previous_until", sa.BigInteger()))
