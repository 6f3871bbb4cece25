"""Run by Alembic on the connection that webhooks.schema hands over."""

from alembic import context

from webhooks.db import models
from webhooks.db.store import db

assert models  # imported for its tables

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=db.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
