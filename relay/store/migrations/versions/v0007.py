"""What people asked for, with what it takes to answer; nobody had asked anything before."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

KEY = sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    op.drop_table("requests")
    op.create_table(
        "requests",
        sa.Column("source", KEY, nullable=False),
        sa.Column("uri", KEY, nullable=False),
        sa.Column("account", KEY, nullable=False),
        sa.Column("asker", KEY, nullable=False),
        sa.Column("said", sa.Text(), server_default="", nullable=False),
        sa.Column("state", KEY, nullable=False),
        sa.Column("root", KEY, server_default="", nullable=False),
        sa.Column("answer", KEY, server_default="", nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("source", "uri", name="pk_requests"),
    )
    op.create_index("ix_requests_root", "requests", ["root", "asker"])
    waits = sa.text("due IS NOT NULL")
    op.create_index("ix_requests_due", "requests", ["due"], sqlite_where=waits, postgresql_where=waits)
