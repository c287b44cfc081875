"""Filters of subscriptions; posts are known by the page that their address leads to, however it is written."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from relay.core.urls import page

revision = "0005"
down_revision = "0004"

_AT_ONCE = 5_000


def upgrade() -> None:
    op.add_column("subscriptions", sa.Column("sieve", sa.Text(), server_default="", nullable=False))
    op.drop_index("ix_posts_url", "posts")
    op.execute("ALTER TABLE posts RENAME COLUMN url TO page")  # in both; Alembic would make SQLite's table anew
    _fill()
    known = sa.text("page != ''")
    op.create_index("ix_posts_page", "posts", ["page"], sqlite_where=known, postgresql_where=known)


def _fill() -> None:
    connection = op.get_bind()
    some = sa.text("SELECT id, page FROM posts WHERE id > :last ORDER BY id LIMIT :most")
    last = -1
    while rows := connection.execute(some, {"last": last, "most": _AT_ONCE}).all():
        last = rows[-1].id
        connection.execute(
            sa.text("UPDATE posts SET page = :page WHERE id = :id"),
            [{"id": row.id, "page": page(row.page)} for row in rows],
        )
