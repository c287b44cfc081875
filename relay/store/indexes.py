"""What the tables are told for speed: indexes, most of them partial, and room to change rows in place.

Apart from the tables because only migrations need it: naming PostgreSQL's options loads its whole dialect, for which
an idle relay on SQLite has no use.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import DDL, Column, ColumnElement, Index, event

from relay.store.counters import TRIGGERS
from relay.store.tables import (
    aliases,
    audit,
    author_names,
    deliveries,
    destinations,
    feeds,
    folded,
    folds,
    metadata,
    posts,
    requests,
    stops,
    subscription_tags,
    subscriptions,
    tagged,
)

__all__ = ["metadata"]


def _partial(name: str, *columns: Column[Any], where: ColumnElement[bool]) -> None:
    Index(name, *columns, sqlite_where=where, postgresql_where=where)


_partial("ix_feeds_due", feeds.c.source, feeds.c.next_poll, where=feeds.c.next_poll.is_not(None))
_partial("ix_feeds_leased", feeds.c.leased_until, where=feeds.c.leased_until.is_not(None))
_partial("ix_feeds_stopped", feeds.c.id, where=feeds.c.stopped != "")
_partial("ix_posts_page", posts.c.page, where=posts.c.page != "")
_partial("ix_posts_reply_to", posts.c.reply_to, where=posts.c.reply_to.is_not(None))
_partial("ix_posts_root", posts.c.root, posts.c.published, posts.c.uri, where=posts.c.root.is_not(None))
_partial("ix_posts_next_check", posts.c.source, posts.c.next_check, where=posts.c.next_check.is_not(None))
_partial("ix_posts_grown", posts.c.grown, where=posts.c.grown.is_not(None))
_partial("ix_posts_next_look", posts.c.source, posts.c.next_look, where=posts.c.next_look.is_not(None))
Index("ix_posts_author", posts.c.author, posts.c.listed)
Index("ix_author_names_author", author_names.c.author)
_partial("ix_stops_due", stops.c.due, where=stops.c.due.is_not(None))
_partial("ix_tagged_shown", tagged.c.shown, tagged.c.tag, tagged.c.post, where=tagged.c.shown)  # "shown": else the
# primary key would seem to do as well
_partial("ix_posts_author_grown", posts.c.author, posts.c.grown, where=posts.c.grown.is_not(None))
_partial("ix_folds_due", folds.c.due, where=folds.c.due.is_not(None))
_partial("ix_folds_open", folds.c.subscription, where=folds.c.closed.is_(None))
Index("ix_folded_post", folded.c.post)
Index("ix_requests_root", requests.c.root, requests.c.asker)
_partial("ix_requests_due", requests.c.due, where=requests.c.due.is_not(None))
Index("ix_subscriptions_destination", subscriptions.c.destination)
Index("ix_subscription_tags_tag", subscription_tags.c.tag)
_partial("ix_subscriptions_community", subscriptions.c.community, where=subscriptions.c.community != "")
Index("ix_audit_destination", audit.c.destination, audit.c.id)
Index("ix_posts_seen", posts.c.seen)
Index("ix_aliases_post", aliases.c.post)
_partial("ix_destinations_due", destinations.c.due, where=destinations.c.due.is_not(None))
_partial("ix_destinations_listed", destinations.c.name, where=destinations.c.listed)
_partial("ix_deliveries_pending", deliveries.c.destination, deliveries.c.id, where=deliveries.c.settled.is_(None))

Index(
    "uq_deliveries_digest_destination_version",
    deliveries.c.digest,
    deliveries.c.destination,
    deliveries.c.version,
    unique=True,
    sqlite_where=deliveries.c.digest.is_not(None),
    postgresql_where=deliveries.c.digest.is_not(None),
)

for _dialect, _statements in TRIGGERS.items():
    for _statement in _statements:
        _ddl: Any = DDL(_statement)  # type: ignore[no-untyped-call]  # SQLAlchemy does not say what it takes
        event.listen(metadata, "after_create", _ddl.execute_if(dialect=_dialect))
destinations.dialect_kwargs["postgresql_with"] = {"fillfactor": 30}  # rows that change with every delivery
