"""A delivery says of which post or of which digest it is, each in a column of its own.

SQLite cannot let a column be null that was not: its table is written anew, with the same ids, and counts on from the
same one. PostgreSQL only touches the rows that are of digests.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from relay.store.migrations.versions import v0014

revision = "0018"
down_revision = "0017"

KEY = sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql")
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
EITHER = "(post IS NULL) <> (digest IS NULL)"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        _change()
    else:
        _write_anew()
    of_digest = sa.text("digest IS NOT NULL")
    op.create_index(
        "uq_deliveries_digest_destination_version",
        "deliveries",
        ["digest", "destination", "version"],
        unique=True,
        sqlite_where=of_digest,
        postgresql_where=of_digest,
    )


def _change() -> None:
    op.add_column("deliveries", sa.Column("digest", NUMBER))
    op.alter_column("deliveries", "post", nullable=True)
    op.execute("UPDATE deliveries SET digest = -post, post = NULL WHERE post < 0")
    op.create_check_constraint("ck_deliveries_of", "deliveries", EITHER)


def _write_anew() -> None:
    op.drop_index("ix_deliveries_pending", "deliveries")
    op.rename_table("deliveries", "former_deliveries")
    _table()
    op.execute(
        """INSERT INTO deliveries (id, destination, post, digest, action, version, state, reason, note, attempts,
            messages, subscription, under, created, settled)
        SELECT id, destination, CASE WHEN post >= 0 THEN post END, CASE WHEN post < 0 THEN -post END, action, version,
            state, reason, note, attempts, messages, subscription, under, created, settled
        FROM former_deliveries ORDER BY id"""
    )
    op.execute("DELETE FROM sqlite_sequence WHERE name = 'deliveries'")
    op.execute("UPDATE sqlite_sequence SET name = 'deliveries' WHERE name = 'former_deliveries'")
    op.drop_table("former_deliveries")
    op.create_index(
        "ix_deliveries_pending", "deliveries", ["destination", "id"], sqlite_where=sa.text("settled IS NULL")
    )
    for trigger in v0014.TRIGGERS["sqlite"]:
        op.execute(trigger)


def _table() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("destination", KEY, nullable=False),
        sa.Column("post", NUMBER),
        sa.Column("digest", NUMBER),
        sa.Column("action", KEY, nullable=False),
        sa.Column("version", KEY, nullable=False),
        sa.Column("state", KEY, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("messages", sa.Text(), server_default="[]", nullable=False),
        sa.Column("subscription", NUMBER),
        sa.Column("under", NUMBER),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("settled", sa.BigInteger()),
        sa.CheckConstraint(EITHER, name="ck_deliveries_of"),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.UniqueConstraint("post", "destination", "version", name="uq_deliveries_post_destination_version"),
        sqlite_autoincrement=True,
    )
