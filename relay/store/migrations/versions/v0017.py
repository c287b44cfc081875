"""Hashtags are kept by their posts: their list has an index of its own, so one for the posts is not needed any more."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

KEY = sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql")
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.drop_index("ix_tagged_post", "tagged")
    op.drop_index("ix_tagged_shown", "tagged")
    op.rename_table("tagged", "former_tagged")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER INDEX pk_tagged RENAME TO former_pk_tagged")
    op.create_table(
        "tagged",
        sa.Column("post", NUMBER, nullable=False),
        sa.Column("tag", KEY, nullable=False),
        sa.Column("shown", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("post", "tag", name="pk_tagged"),
        sqlite_with_rowid=False,
    )
    op.execute("INSERT INTO tagged (post, tag, shown) SELECT post, tag, shown FROM former_tagged ORDER BY post, tag")
    op.drop_table("former_tagged")
    shown = sa.text("shown")
    op.create_index("ix_tagged_shown", "tagged", ["shown", "tag", "post"], sqlite_where=shown, postgresql_where=shown)
