"""Stops that can be undone, what authors are called, and a lane of their own for stops among what people asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import sqlalchemy as sa
from alembic import op

from relay.model import Author
from relay.store.names import add_names

revision = "0009"
down_revision = "0008"

KEY = sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql")
AT_ONCE = 5_000


WRITTEN = msgspec.defstruct("Written", [("author", Author)])
"""What is read of a post; the rest of its JSON is passed over."""


def upgrade() -> None:
    op.add_column("posts", sa.Column("hidden", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("requests", sa.Column("host", KEY, server_default="", nullable=False))
    op.add_column("requests", sa.Column("urgent", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("requests", sa.Column("effect", KEY, server_default="", nullable=False))
    op.create_table(
        "author_names",
        sa.Column("name", KEY, nullable=False),
        sa.Column("author", KEY, nullable=False),
        sa.PrimaryKeyConstraint("name", "author", name="pk_author_names"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_author_names_author", "author_names", ["author"])
    op.create_table(
        "stops",
        sa.Column("id", KEY, nullable=False),
        sa.Column("kind", KEY, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=True),
        sa.Column("ref", KEY, server_default="", nullable=False),
        sa.Column("names", sa.Text(), server_default="[]", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_stops"),
    )
    waits = sa.text("due IS NOT NULL")
    op.create_index("ix_stops_due", "stops", ["due"], sqlite_where=waits, postgresql_where=waits)
    _keep_forgotten()
    for authors in _authors():
        add_names(op.get_bind(), authors)


def _keep_forgotten() -> None:
    """Whoever was forgotten stays so. Nobody wrote down who had decided it: the operator can undo it, nobody else."""
    old = op.get_bind().execute(sa.text("SELECT digest, kind, at FROM forgotten")).all()
    op.drop_table("forgotten")
    op.create_table(
        "forgotten",
        sa.Column("digest", KEY, nullable=False),
        sa.Column("stop", KEY, nullable=False),
        sa.PrimaryKeyConstraint("digest", "stop", name="pk_forgotten"),
        sqlite_with_rowid=False,
    )
    stops = {row.kind: row.at for row in sorted(old, key=lambda row: row.at, reverse=True)}
    for name, at in stops.items():
        kind, _, stop = name.partition(" ")
        new = {"id": stop, "kind": kind, "at": at}
        op.get_bind().execute(sa.text("INSERT INTO stops (id, kind, at) VALUES (:id, :kind, :at)"), new)
    for row in old:
        mark = {"digest": row.digest, "stop": row.kind.partition(" ")[2]}
        op.get_bind().execute(sa.text("INSERT INTO forgotten (digest, stop) VALUES (:digest, :stop)"), mark)


def _authors() -> Iterator[set[Author]]:
    """Those of all posts, some posts at a time."""
    decode: Callable[[str], Any] = msgspec.json.Decoder(WRITTEN).decode
    last = -1
    query = sa.text("SELECT id, data FROM posts WHERE id > :last AND NOT deleted ORDER BY id LIMIT :most")
    while rows := op.get_bind().execute(query, {"last": last, "most": AT_ONCE}).all():
        last = rows[-1].id
        yield {decode(row.data).author for row in rows}
