"""numbers beside names; secrets that are kept sealed"""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    _number_anew()


def _number_anew() -> None:
    """Numbers are told apart in another way: events/digest looks through what is there once more."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    op.execute("DELETE FROM event_number" if sqlite else "TRUNCATE event_number")
    op.execute("""
        INSERT INTO meta (key, value)
        SELECT 'renumber_below', CAST(CAST(value AS BIGINT) + 1 AS TEXT) FROM meta
        WHERE key = 'digested_event'
    """)
