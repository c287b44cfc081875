"""Threads as one message, folds and budgets, pages by hashtag, what was taken back, what people asked for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

KEY = sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql")
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("subscriptions", sa.Column("manner", sa.Text(), server_default="", nullable=False))
    op.add_column("deliveries", sa.Column("under", NUMBER, nullable=True))
    for name in ("grew", "next_look", "visited"):
        op.add_column("posts", sa.Column(name, sa.BigInteger(), nullable=True))
    op.add_column("posts", sa.Column("asked", sa.Boolean(), server_default=sa.false(), nullable=False))
    _partial("ix_posts_next_look", "posts", ["source", "next_look"], "next_look IS NOT NULL")
    op.create_index("ix_posts_author", "posts", ["author"])
    _tables()


def _tables() -> None:
    op.create_table(
        "tagged",
        sa.Column("tag", KEY, nullable=False),
        sa.Column("post", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("tag", "post", name="pk_tagged"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_tagged_post", "tagged", ["post"])
    op.create_table(
        "folds",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("slug", KEY, nullable=False),
        sa.Column("destination", KEY, nullable=False),
        sa.Column("subscription", NUMBER, nullable=False),
        sa.Column("topic", KEY, nullable=False),
        sa.Column("tag", KEY, server_default="", nullable=False),
        sa.Column("why", KEY, nullable=False),
        sa.Column("opened", sa.BigInteger(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=True),
        sa.Column("closed", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_folds"),
        sa.UniqueConstraint("slug", name="uq_folds_slug"),
        sqlite_autoincrement=True,
    )
    _partial("ix_folds_due", "folds", ["due"], "due IS NOT NULL")
    _partial("ix_folds_open", "folds", ["subscription"], "closed IS NULL")
    op.create_table(
        "folded",
        sa.Column("fold", NUMBER, nullable=False),
        sa.Column("post", NUMBER, nullable=False),
        sa.ForeignKeyConstraint(["fold"], ["folds.id"], name="fk_folded_fold", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("fold", "post", name="pk_folded"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_folded_post", "folded", ["post"])
    op.create_table(
        "budgets",
        sa.Column("name", KEY, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_budgets"),
    )
    op.create_table(
        "forgotten",
        sa.Column("digest", KEY, nullable=False),
        sa.Column("kind", KEY, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_forgotten"),
    )
    op.create_table(
        "requests",
        sa.Column("source", KEY, nullable=False),
        sa.Column("uri", KEY, nullable=False),
        sa.Column("asker", KEY, nullable=False),
        sa.Column("root", KEY, nullable=False),
        sa.Column("state", KEY, nullable=False),
        sa.Column("answer", KEY, server_default="", nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", "uri", name="pk_requests"),
    )
    op.create_index("ix_requests_root", "requests", ["root", "asker"])


def _partial(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
