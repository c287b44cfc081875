"""The tables; their indexes are in ``indexes``.

Times are kept as microseconds since 1970 in UTC, posts as :mod:`relay.store.content` writes them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ColumnElement,
    Dialect,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
    literal_column,
)
from sqlalchemy.types import TypeDecorator

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(moment: datetime) -> int:
    """The moment as the tables keep it; ``TypeError`` for a naive one."""
    return (moment - EPOCH) // _MICROSECOND


class Moment(TypeDecorator[datetime]):
    """An aware UTC time, kept as microseconds since 1970: exact, and ordered alike in every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - the base's signature
        return None if value is None else micros(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - the base's signature
        return None if value is None else EPOCH + timedelta(microseconds=value)


Key = Text().with_variant(Text(collation="C"), "postgresql")
"""Text that is compared code point by code point, as Python and SQLite do, whatever the database's language."""
Number = BigInteger().with_variant(Integer, "sqlite")
"""A key that the database counts up; SQLite only does that for INTEGER."""
EMPTY: ColumnElement[str] = literal_column("''")
"""To be told apart from it by a partial index: as a parameter it might be anything, and the index would not be used."""


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

meta = Table(
    "meta",
    metadata,
    Column("key", Key, primary_key=True),
    Column("value", Text, nullable=False),
)
"""``token``: what makes this database's delivery ids unlike any other's."""

feeds = Table(
    "feeds",
    metadata,
    Column("id", Number, primary_key=True),
    Column("source", Key, nullable=False),
    Column("address", Key, nullable=False),
    Column("cursor", Text, nullable=False, server_default=""),
    Column("seeded", Boolean, nullable=False, server_default=false()),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("next_poll", Moment),  # null: never again
    Column("polled", Moment),
    Column("stopped", Text, nullable=False, server_default=""),
    Column("note", Text, nullable=False, server_default=""),
    Column("leased_by", Key, nullable=False, server_default=""),
    Column("leased_until", Moment),
    UniqueConstraint("source", "address"),
    sqlite_autoincrement=True,  # a late poll of a feed that was removed must not be taken for another's
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("id", Number, primary_key=True),
    Column("origin", Key, nullable=False),
    Column("topic", Key, nullable=False),
    Column("destination", Key, nullable=False),
    Column("networks", Text, nullable=False),
    Column("mode", Key, nullable=False, server_default="posts"),  # as it was asked for; the rest is in "manner"
    Column("manner", Text, nullable=False, server_default=""),
    Column("languages", Text, nullable=False, server_default="[]"),
    Column("only", Key, nullable=False, server_default="all"),
    Column("options", Text, nullable=False, server_default=""),
    Column("community", Key, nullable=False, server_default=""),
    Column("paused", Text, nullable=False, server_default=""),
    Column("sieve", Text, nullable=False, server_default=""),
    Column("linked", Key, nullable=False, server_default=""),  # under which settings all its sources answered
    UniqueConstraint("origin", "topic", "destination"),
    sqlite_autoincrement=True,
)
subscription_tags = Table(
    "subscription_tags",
    metadata,
    Column("subscription", Number, ForeignKey("subscriptions.id", ondelete="CASCADE"), primary_key=True),
    Column("source", Key, primary_key=True),
    Column("tag", Key, primary_key=True),
)
subscription_feeds = Table(
    "subscription_feeds",
    metadata,
    Column("subscription", Number, ForeignKey("subscriptions.id", ondelete="CASCADE"), primary_key=True),
    Column("feed", Number, ForeignKey("feeds.id", ondelete="CASCADE"), primary_key=True, index=True),
)
subscription_changes = Table(
    "subscription_changes",
    metadata,
    Column("id", Number, primary_key=True),
    Column("subscription", Number, nullable=False),
    sqlite_autoincrement=True,  # a later change has a higher number, whatever was deleted
)
"""Which subscriptions changed, were added or deleted lately, in the order of the commits (relay.store.versions)."""

audit = Table(
    "audit",
    metadata,
    Column("id", Number, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("who", Key, nullable=False),  # "user" would be answered by PostgreSQL itself
    Column("destination", Key, nullable=False),
    Column("deed", Key, nullable=False),
    Column("detail", Text, nullable=False),
)

posts = Table(
    "posts",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=False),
    Column("uri", Key, nullable=False, unique=True),
    Column("slug", Key, nullable=False, unique=True),  # random: whoever was not shown a page cannot guess it
    Column("source", Key, nullable=False),
    Column("origin", Key, nullable=False),
    Column("author", Key, nullable=False),
    Column("page", Key, nullable=False),  # a hash of its web address as it is compared (relay.address), or ""
    Column("published", Moment, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("reply_to", Key),
    Column("root", Key),  # set on every member, the root too, once a thread has two posts
    Column("deleted", Boolean, nullable=False),
    Column("hidden", Boolean, nullable=False, server_default=false()),  # deleted by a stop, which may be undone
    Column("listed", Boolean, nullable=False),  # the author allows lists
    Column("seen", Moment, nullable=False),  # when a source last published it, to within a day
    Column("next_check", Moment),  # of relayed posts that are to be re-checked
    Column("looked", Moment),  # of roots: when the source was last asked for the whole thread
    Column("grown", Moment),  # of roots: when the newest post of a thread that may be listed was published
    Column("grew", Moment),  # of roots: when the thread was last seen to grow
    Column("next_look", Moment),  # of roots: when its source is to be asked whether it grew again
    Column("visited", Moment),  # of roots: when the page was last read or asked for, to within a day
    Column("asked", Boolean, nullable=False, server_default=false()),  # of roots: the author asked for the page
    Column("version", Integer, nullable=False, server_default="0"),  # of roots: counts changes of what pages show
)

tagged = Table(
    "tagged",
    metadata,
    Column("post", Number, primary_key=True),
    Column("tag", Key, primary_key=True),  # folded
    Column("shown", Boolean, nullable=False, server_default=false()),
    sqlite_with_rowid=False,
)
"""What was relayed, by hashtag. ``shown``: the latest such post of a thread that may be listed, one for each thread and
hashtag: the hashtag's list reads these alone, and so no more than it shows."""

folds = Table(
    "folds",
    metadata,
    Column("id", Number, primary_key=True),
    Column("slug", Key, nullable=False, unique=True),
    Column("destination", Key, nullable=False),
    Column("subscription", Number, nullable=False),
    Column("topic", Key, nullable=False),
    Column("tag", Key, nullable=False, server_default=""),
    Column("why", Key, nullable=False),
    Column("opened", Moment, nullable=False),
    Column("due", Moment),  # when it is to be sent; null: it was, or is under way
    Column("closed", Moment),  # null: more posts may join
    sqlite_autoincrement=True,
)
folded = Table(
    "folded",
    metadata,
    Column("fold", Number, ForeignKey("folds.id", ondelete="CASCADE"), primary_key=True),
    Column("post", Number, primary_key=True),
    Column("own", Boolean, nullable=False, server_default=false()),  # it has a message of its own as well
    sqlite_with_rowid=False,
)
"""Which posts share the message of a digest, and which others came along: those stand on its page alone."""

budgets = Table(
    "budgets",
    metadata,
    Column("name", Key, primary_key=True),  # a destination, or one subscription's number
    Column("until", Moment, nullable=False),
)
"""Until when what was brought uses the budget up: the whole state of a leaky bucket."""

author_names = Table(
    "author_names",
    metadata,
    Column("name", Key, primary_key=True),  # a handle, or a profile's address as it is compared
    Column("author", Key, primary_key=True),
    sqlite_with_rowid=False,
)
"""What the authors of posts are called, as far as their own host vouches for it (relay.store.names)."""

stops = Table(
    "stops",
    metadata,
    Column("id", Key, primary_key=True),
    Column("kind", Key, nullable=False),  # ports.StopKind
    Column("at", Moment, nullable=False),
    Column("due", Moment),  # when it is erased; null: it was
    Column("ref", Key, nullable=False, server_default=""),  # who or what, as it was named; empty once erased
    Column("names", Text, nullable=False, server_default="[]"),  # by which names posts are found; empty likewise
)
"""Authors and threads that were taken out, and may be kept again when that is undone."""

forgotten = Table(
    "forgotten",
    metadata,
    Column("digest", Key, primary_key=True),
    Column("stop", Key, primary_key=True),
    sqlite_with_rowid=False,
)
"""What is not to be kept, by stop: keyed hashes, which name nobody."""

requests = Table(
    "requests",
    metadata,
    Column("source", Key, primary_key=True),
    Column("uri", Key, primary_key=True),  # of the post in which it was asked; like asker and root a keyed hash
    Column("account", Key, nullable=False),
    Column("asker", Key, nullable=False),
    Column("said", Text, nullable=False, server_default=""),  # the mention, until it is settled
    Column("state", Key, nullable=False),
    Column("root", Key, nullable=False, server_default=""),
    Column("answer", Key, nullable=False, server_default=""),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("at", Moment, nullable=False),
    Column("due", Moment),  # null: settled
    Column("host", Key, nullable=False, server_default=""),  # a keyed hash of where the thread is read, where known
    Column("urgent", Boolean, nullable=False, server_default=false()),  # a stop, or its undoing
    Column("effect", Key, nullable=False, server_default=""),  # of such a one, once it was carried out
)
"""What people asked of the relay by mentioning it, so that each is answered once."""

aliases = Table(
    "aliases",
    metadata,
    Column("alias", Key, primary_key=True),  # a hash of it (relay.store.hashes)
    Column("post", Number, nullable=False),
    sqlite_with_rowid=False,
)

destinations = Table(
    "destinations",
    metadata,
    Column("name", Key, primary_key=True),
    Column("adapter", Key, nullable=False),
    Column("due", Moment),  # null: nothing waits, or it is paused
    Column("not_before", Moment),  # what the last settlement said: the pace holds over an empty queue
    Column("paused", Text, nullable=False, server_default=""),
    Column("listed", Boolean, nullable=False, server_default=false()),  # others may see which hashtags it follows
    Column("leased_by", Key, nullable=False, server_default=""),
    Column("leased_until", Moment),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Number, primary_key=True),
    Column("destination", Key, nullable=False),
    Column("post", Number),  # null: it is of a digest
    Column("digest", Number),  # null: it is of a post
    Column("action", Key, nullable=False),
    Column("version", Key, nullable=False),  # "" of a send; "3" (the revision), "count with 7", "deleted"
    Column("state", Key, nullable=False),
    Column("reason", Text, nullable=False),  # why it is sent
    Column("note", Text, nullable=False, server_default=""),  # what became of it
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("messages", Text, nullable=False, server_default="[]"),
    Column("subscription", Number),
    Column("under", Number),  # the post under whose message it goes on
    Column("created", Moment, nullable=False),
    Column("settled", Moment),  # null: due or sending
    UniqueConstraint("post", "destination", "version"),
    CheckConstraint("(post IS NULL) <> (digest IS NULL)", name="ck_deliveries_of"),
    sqlite_autoincrement=True,  # an id is an idempotency key: never used again
)

leases = Table(
    "leases",
    metadata,
    Column("name", Key, primary_key=True),
    Column("leased_by", Key, nullable=False, server_default=""),
    Column("leased_until", Moment),
)
"""What only one process may own, beyond feeds and destinations."""

counters = Table(
    "counters",
    metadata,
    Column("name", Key, primary_key=True),
    Column("count", BigInteger, nullable=False),
)
"""What is counted: ``posts`` that are there, ``unknown`` attempts."""

tallies = Table(
    "tallies",
    metadata,
    Column("worker", Integer, primary_key=True, autoincrement=False),  # a process of PostgreSQL; 0: all others
    Column("action", Key, primary_key=True),
    Column("state", Key, primary_key=True),
    Column("count", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""How many deliveries are settled, kept by triggers (relay.store.counters)."""

notes = Table(
    "notes",
    metadata,
    Column("owner", Key, primary_key=True),
    Column("key", Key, primary_key=True),
    Column("value", Text, nullable=False),
    Column("until", Moment, nullable=False),
)
"""What sources and adapters remember: see :class:`relay.plugins.PluginStorage`."""
