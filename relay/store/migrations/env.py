"""Alembic's entry: runs the migrations on the connection, and in the transaction, that :func:`migrate` lends it."""

from __future__ import annotations

from alembic import context

from relay.store.indexes import metadata
from relay.store.migrations import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()
