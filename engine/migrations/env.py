"""Alembic's environment: migrations run on the connection that `Database.migrate` opened, in its transaction."""

from alembic import context

from engine.tables import Kept

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Kept.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
