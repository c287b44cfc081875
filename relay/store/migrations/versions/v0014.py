"""What is settled is counted when it is settled, and posts when they come and go."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from relay.store.counters import TRIGGERS

revision = "0014"
down_revision = "0013"

KEY = sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "tallies",
        sa.Column("worker", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("action", KEY, nullable=False),
        sa.Column("state", KEY, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("worker", "action", "state", name="pk_tallies"),
        sqlite_with_rowid=False,
    )
    op.execute(
        """INSERT INTO tallies (worker, action, state, count)
        SELECT 0, action, state, count(*) FROM deliveries WHERE settled IS NOT NULL GROUP BY action, state"""
    )
    op.execute("INSERT INTO counters (name, count) SELECT 'posts', count(*) FROM posts")
    for trigger in TRIGGERS[op.get_bind().dialect.name]:
        op.execute(trigger)
