"""The first schema."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

KEY = sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql")
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _create_feeds()
    _create_subscriptions()
    _create_posts()
    _create_outbox()
    _create_meta()


def _create_feeds() -> None:
    op.create_table(
        "feeds",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("source", KEY, nullable=False),
        sa.Column("address", KEY, nullable=False),
        sa.Column("cursor", sa.Text(), server_default="", nullable=False),
        sa.Column("seeded", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_poll", sa.BigInteger()),
        sa.Column("polled", sa.BigInteger()),
        sa.Column("stopped", sa.Text(), server_default="", nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("leased_by", KEY, server_default="", nullable=False),
        sa.Column("leased_until", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_feeds"),
        sa.UniqueConstraint("source", "address", name="uq_feeds_source_address"),
        sqlite_autoincrement=True,
    )
    _partial("ix_feeds_due", "feeds", ["source", "next_poll"], where="next_poll IS NOT NULL")
    _partial("ix_feeds_leased", "feeds", ["leased_until"], where="leased_until IS NOT NULL")


def _create_subscriptions() -> None:
    op.create_table(
        "subscriptions",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("origin", KEY, nullable=False),
        sa.Column("topic", KEY, nullable=False),
        sa.Column("destination", KEY, nullable=False),
        sa.Column("networks", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_subscriptions"),
        sa.UniqueConstraint("origin", "topic", "destination", name="uq_subscriptions_origin_topic_destination"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "subscription_tags",
        sa.Column("subscription", NUMBER, nullable=False),
        sa.Column("source", KEY, nullable=False),
        sa.Column("tag", KEY, nullable=False),
        sa.ForeignKeyConstraint(
            ["subscription"], ["subscriptions.id"], name="fk_subscription_tags_subscription", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("subscription", "source", "tag", name="pk_subscription_tags"),
    )
    op.create_table(
        "subscription_feeds",
        sa.Column("subscription", NUMBER, nullable=False),
        sa.Column("feed", NUMBER, nullable=False),
        sa.ForeignKeyConstraint(
            ["subscription"], ["subscriptions.id"], name="fk_subscription_feeds_subscription", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["feed"], ["feeds.id"], name="fk_subscription_feeds_feed", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("subscription", "feed", name="pk_subscription_feeds"),
    )
    op.create_index("ix_subscription_feeds_feed", "subscription_feeds", ["feed"])


def _create_posts() -> None:
    op.create_table(
        "posts",
        sa.Column("id", NUMBER, autoincrement=False, nullable=False),
        sa.Column("uri", KEY, nullable=False),
        sa.Column("slug", KEY, nullable=False),
        sa.Column("source", KEY, nullable=False),
        sa.Column("origin", KEY, nullable=False),
        sa.Column("author", KEY, nullable=False),
        sa.Column("url", KEY, nullable=False),
        sa.Column("published", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("reply_to", KEY),
        sa.Column("root", KEY),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("listed", sa.Boolean(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.Column("next_check", sa.BigInteger()),
        sa.Column("looked", sa.BigInteger()),
        sa.Column("grown", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_posts"),
        sa.UniqueConstraint("uri", name="uq_posts_uri"),
        sa.UniqueConstraint("slug", name="uq_posts_slug"),
    )
    _partial("ix_posts_grown", "posts", ["grown"], where="grown IS NOT NULL")
    _partial("ix_posts_next_check", "posts", ["source", "next_check"], where="next_check IS NOT NULL")
    _partial("ix_posts_reply_to", "posts", ["reply_to"], where="reply_to IS NOT NULL")
    _partial("ix_posts_root", "posts", ["root", "published", "uri"], where="root IS NOT NULL")
    op.create_index("ix_posts_seen", "posts", ["seen"])
    _partial("ix_posts_url", "posts", ["url"], where="url != uri")
    op.create_table(
        "aliases",
        sa.Column("alias", KEY, nullable=False),
        sa.Column("post", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("alias", name="pk_aliases"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_aliases_post", "aliases", ["post"])


def _create_outbox() -> None:
    op.create_table(
        "destinations",
        sa.Column("name", KEY, nullable=False),
        sa.Column("adapter", KEY, nullable=False),
        sa.Column("due", sa.BigInteger()),
        sa.Column("not_before", sa.BigInteger()),
        sa.Column("paused", sa.Text(), server_default="", nullable=False),
        sa.Column("leased_by", KEY, server_default="", nullable=False),
        sa.Column("leased_until", sa.BigInteger()),
        sa.PrimaryKeyConstraint("name", name="pk_destinations"),
        postgresql_with={"fillfactor": 30},
    )
    _partial("ix_destinations_due", "destinations", ["due"], where="due IS NOT NULL")
    op.create_table(
        "deliveries",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("destination", KEY, nullable=False),
        sa.Column("post", NUMBER, nullable=False),
        sa.Column("action", KEY, nullable=False),
        sa.Column("version", KEY, nullable=False),
        sa.Column("state", KEY, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("messages", sa.Text(), server_default="[]", nullable=False),
        sa.Column("subscription", NUMBER),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("settled", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.UniqueConstraint("post", "destination", "version", name="uq_deliveries_post_destination_version"),
        sqlite_autoincrement=True,
    )
    _partial("ix_deliveries_pending", "deliveries", ["destination", "id"], where="settled IS NULL")


def _create_meta() -> None:
    meta = op.create_table(
        "meta",
        sa.Column("key", KEY, nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_meta"),
    )
    op.bulk_insert(meta, [{"key": "token", "value": secrets.token_hex(5)}])  # short: some platforms' keys are


def _partial(name: str, table: str, columns: list[str], *, where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
