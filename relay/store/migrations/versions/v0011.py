"""What of an author may be listed is found at once, so that an author who forbids it is heeded in all that was kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    listed = sa.text("listed")
    op.create_index("ix_posts_listed", "posts", ["author"], sqlite_where=listed, postgresql_where=listed)
