"""What Alembic runs to migrate: on a connection that the caller opened, in one transaction."""

from __future__ import annotations

from alembic import context

from holdfast.journal.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
