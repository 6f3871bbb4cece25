"""numbers beside names; secrets that are kept sealed"""

import sqlalchemy as sa
from alembic import context, op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    _number_anew(sqlite)
    _seal(sqlite)


def _number_anew(sqlite: bool) -> None:
    """Numbers are told apart in another way: events/indexer looks through what is there once more."""
    op.execute("DELETE FROM event_number" if sqlite else "TRUNCATE event_number")
    op.execute("""
        INSERT INTO meta (key, value)
        SELECT 'renumber_below', CAST(CAST(value AS BIGINT) + 1 AS TEXT) FROM meta
        WHERE key = 'digested_event'
    """)


def _seal(sqlite: bool) -> None:
    vault = context.config.attributes["vault"]
    if sqlite:
        op.execute("PRAGMA secure_delete = ON")  # what stood there before is written over
    else:
        for column in ("secret", "previous_secret"):
            op.alter_column("webhook", column, type_=sa.Text())
    webhook = sa.table(
        "webhook", sa.column("id", sa.BigInteger), sa.column("secret", sa.Text),
        sa.column("previous_secret", sa.Text), sa.column("options", sa.JSON),
    )  # fmt: skip
    connection = op.get_bind()
    for row in connection.execute(sa.select(webhook)).all():
        headers = {name: vault.seal(value) for name, value in row.options.get("headers", {}).items()}
        sealed = {
            "secret": vault.seal(row.secret),
            "previous_secret": row.previous_secret and vault.seal(row.previous_secret),
            "options": {**row.options, "headers": headers} if headers else row.options,
        }
        connection.execute(sa.update(webhook).where(webhook.c.id == row.id).values(sealed))
    message = sa.table("inbox_message", sa.column("id", sa.BigInteger), sa.column("headers", sa.Text))
    for id_, text in connection.execute(sa.select(message)).all():
        connection.execute(sa.update(message).where(message.c.id == id_).values(headers=vault.seal(text)))
    connection.execute(
        sa.text("INSERT INTO meta (key, value) VALUES ('sealed_with', :id)"), {"id": vault.key_id}
    )
