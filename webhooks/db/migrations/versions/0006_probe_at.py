"""the circuit's next probe, apart from the hold that a receiver asked for"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("lane", sa.Column("probe_at", sa.BigInteger(), nullable=False, server_default="0"))
