"""Subscriptions that people make in the chats: what each chooses, who changed what, and who listens to a platform."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

KEY = sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql")
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _widen_subscriptions()
    _create_audit()
    _create_leases()


def _widen_subscriptions() -> None:
    """Column by column: SQLite would make the table anew for more, and so cut its rows off from their feeds."""
    for name, kind, default in (
        ("mode", KEY, "posts"),
        ("languages", sa.Text(), "[]"),
        ("only", KEY, "all"),
        ("options", sa.Text(), ""),
        ("community", KEY, ""),
        ("paused", sa.Text(), ""),
    ):
        op.add_column("subscriptions", sa.Column(name, kind, server_default=default, nullable=False))
    op.create_index("ix_subscriptions_destination", "subscriptions", ["destination"])
    known = sa.text("community != ''")
    op.create_index(
        "ix_subscriptions_community", "subscriptions", ["community"], sqlite_where=known, postgresql_where=known
    )


def _create_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("who", KEY, nullable=False),
        sa.Column("destination", KEY, nullable=False),
        sa.Column("deed", KEY, nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_destination", "audit", ["destination", "id"])


def _create_leases() -> None:
    op.create_table(
        "leases",
        sa.Column("name", KEY, nullable=False),
        sa.Column("leased_by", KEY, server_default="", nullable=False),
        sa.Column("leased_until", sa.BigInteger()),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )
