"""the alerts' former secret, which signs as well for a day after a rotation"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.add_column("alert_settings", sa.Column("previous_secret", sa.Text()))
    op.add_column("alert_settings", sa.Column("previous_until", sa.BigInteger()))
