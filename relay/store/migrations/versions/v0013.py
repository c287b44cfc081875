"""Posts are packed, and found by short hashes of their other names and of their pages: less than half the disk.

The tables are written anew, in the order of the posts. For as long as that takes both are there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

import msgspec
import sqlalchemy as sa
from alembic import op

from relay.model import Post
from relay.store.content import encode
from relay.store.hashes import short

revision = "0013"
down_revision = "0012"

KEY = sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql")
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
AT_ONCE = 2_000

_decode: Callable[[str], Post] = msgspec.json.Decoder(Post).decode


def upgrade() -> None:
    _put_aside("posts", ("pk_posts", "uq_posts_uri", "uq_posts_slug"))
    _fill(_posts(), map(_packed, _old("posts")))
    op.drop_table("former_posts")
    _index_posts()
    _put_aside("aliases", ("pk_aliases",))
    _fill(_aliases(), map(_shortened, _old("aliases", "alias")))
    op.drop_table("former_aliases")
    op.create_index("ix_aliases_post", "aliases", ["post"])


def _put_aside(name: str, constraints: Sequence[str]) -> None:
    """Rename a table, and let its indexes go: their names are wanted."""
    for index in sa.inspect(op.get_bind()).get_indexes(name):
        if index["name"] and index["name"] not in constraints:
            op.drop_index(index["name"], name)
    op.rename_table(name, f"former_{name}")
    if op.get_bind().dialect.name == "postgresql":
        for constraint in constraints:
            op.execute(f"ALTER INDEX {constraint} RENAME TO former_{constraint}")


def _posts() -> sa.Table:
    return op.create_table(
        "posts",
        sa.Column("id", NUMBER, autoincrement=False, nullable=False),
        sa.Column("uri", KEY, nullable=False),
        sa.Column("slug", KEY, nullable=False),
        sa.Column("source", KEY, nullable=False),
        sa.Column("origin", KEY, nullable=False),
        sa.Column("author", KEY, nullable=False),
        sa.Column("page", KEY, nullable=False),
        sa.Column("published", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("reply_to", KEY),
        sa.Column("root", KEY),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("hidden", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("listed", sa.Boolean(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.Column("next_check", sa.BigInteger()),
        sa.Column("looked", sa.BigInteger()),
        sa.Column("grown", sa.BigInteger()),
        sa.Column("grew", sa.BigInteger()),
        sa.Column("next_look", sa.BigInteger()),
        sa.Column("visited", sa.BigInteger()),
        sa.Column("asked", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_posts"),
        sa.UniqueConstraint("uri", name="uq_posts_uri"),
        sa.UniqueConstraint("slug", name="uq_posts_slug"),
    )


def _index_posts() -> None:
    op.create_index("ix_posts_author", "posts", ["author", "listed"])
    op.create_index("ix_posts_seen", "posts", ["seen"])
    _partial("ix_posts_grown", ["grown"], where="grown IS NOT NULL")
    _partial("ix_posts_next_check", ["source", "next_check"], where="next_check IS NOT NULL")
    _partial("ix_posts_next_look", ["source", "next_look"], where="next_look IS NOT NULL")
    _partial("ix_posts_page", ["page"], where="page != ''")
    _partial("ix_posts_reply_to", ["reply_to"], where="reply_to IS NOT NULL")
    _partial("ix_posts_root", ["root", "published", "uri"], where="root IS NOT NULL")


def _partial(name: str, columns: list[str], *, where: str) -> None:
    op.create_index(name, "posts", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def _aliases() -> sa.Table:
    return op.create_table(
        "aliases",
        sa.Column("alias", KEY, nullable=False),
        sa.Column("post", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("alias", name="pk_aliases"),
        sqlite_with_rowid=False,
    )


def _packed(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"data": encode(_decode(row["data"])), "page": row["page"] and short(row["page"])}


def _shortened(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"alias": short(row["alias"])}


def _old(name: str, key: str = "id") -> Iterator[dict[str, Any]]:
    """The rows that were put aside, some at a time and in the order of their key."""
    table = sa.Table(f"former_{name}", sa.MetaData(), autoload_with=op.get_bind())
    last = None
    while True:
        query = sa.select(table).order_by(table.c[key]).limit(AT_ONCE)
        rows = op.get_bind().execute(query if last is None else query.where(table.c[key] > last)).mappings().all()
        if not rows:
            return
        yield from map(dict, rows)
        last = rows[-1][key]


def _fill(table: sa.Table, rows: Iterator[dict[str, Any]]) -> None:
    while some := list(islice(rows, AT_ONCE)):
        op.get_bind().execute(sa.insert(table), some)
