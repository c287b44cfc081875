"""The page of what came at once lists also what has a message of its own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("folded", sa.Column("own", sa.Boolean(), server_default=sa.false(), nullable=False))
