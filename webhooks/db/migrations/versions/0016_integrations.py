"""which integration a webhook belongs to"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    column = sa.Column("integration", sa.String(10), nullable=False, server_default="webhooks")
    op.add_column("webhook", column)
