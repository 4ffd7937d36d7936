"""What Alembic runs to migrate: on the caller's connection, in its transaction, all loggers left alone."""

from alembic import context

from service.store.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
with context.begin_transaction():
    context.run_migrations()
