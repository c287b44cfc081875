"""A destination says whether others may see which hashtags it follows; until it does, they may not."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("destinations", sa.Column("listed", sa.Boolean(), server_default=sa.false(), nullable=False))
