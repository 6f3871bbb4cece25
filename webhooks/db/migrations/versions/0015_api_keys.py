"""an API key's scope and its last use"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.add_column("api_key", sa.Column("scope", sa.String(10), nullable=False, server_default="write"))
    op.add_column("api_key", sa.Column("last_used_at", sa.BigInteger()))
