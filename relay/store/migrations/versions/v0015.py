"""Changes of subscriptions are read one by one, and only those are linked to their feeds that are not yet."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

KEY = sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql")
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "subscription_changes",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("subscription", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscription_changes")),
        sqlite_autoincrement=True,
    )
    op.add_column("subscriptions", sa.Column("linked", KEY, server_default="", nullable=False))
    stopped = sa.text("stopped != ''")
    op.create_index("ix_feeds_stopped", "feeds", ["id"], sqlite_where=stopped, postgresql_where=stopped)
