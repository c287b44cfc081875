"""A page says whether it changed, and a list is read from an index of what it shows, without the rest of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

_SHOW = """
UPDATE tagged SET shown = TRUE WHERE (tag, post) IN (
    SELECT t.tag, max(t.post) FROM tagged t JOIN posts p ON p.id = t.post
    WHERE NOT p.deleted AND p.listed
        AND NOT EXISTS (SELECT 1 FROM posts o WHERE o.root = p.root AND NOT o.deleted AND NOT o.listed)
    GROUP BY t.tag, coalesce(p.root, p.uri)
)
"""


def upgrade() -> None:
    op.add_column("posts", sa.Column("version", sa.Integer(), server_default="0", nullable=False))
    op.add_column("tagged", sa.Column("shown", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.execute(_SHOW)
    _partial("ix_tagged_shown", "tagged", ["shown", "tag", "post"], "shown")
    _partial("ix_posts_author_grown", "posts", ["author", "grown"], "grown IS NOT NULL")
    _partial("ix_destinations_listed", "destinations", ["name"], "listed")
    op.create_index("ix_subscription_tags_tag", "subscription_tags", ["tag"])


def _partial(name: str, table: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
