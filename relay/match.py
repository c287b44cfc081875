"""Who wants a post: event × subscriptions → wishes, with the reason for each.

Pure. Does not know what was already sent: that nothing is sent twice is the store's unique (destination, uri, version).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from relay.hashtag import fold
from relay.model import Event, Feed, FeedId, Post, Published, Subscription
from relay.ports import Wish

Listeners = Mapping[str, Subscription]
"""Who listens, by destination as it is written: two subscriptions for one destination want one send."""


@dataclass(frozen=True, slots=True)
class Index:
    """Subscriptions by what they listen to, so that a match costs the post's hashtags, not the subscriptions."""

    by_tag: Mapping[tuple[str, str], Listeners]
    by_feed: Mapping[FeedId, Listeners]


def index(subscriptions: Iterable[Subscription]) -> Index:
    by_tag: dict[tuple[str, str], dict[str, Subscription]] = {}
    by_feed: dict[FeedId, dict[str, Subscription]] = {}
    for subscription in subscriptions:
        name = str(subscription.destination)
        for key in subscription.tags:
            by_tag.setdefault(key, {}).setdefault(name, subscription)
        for feed in subscription.feeds:
            by_feed.setdefault(feed, {}).setdefault(name, subscription)
    return Index(by_tag, by_feed)


def match(events: Iterable[Event], feed: Feed, subscribed: Index) -> tuple[Wish, ...]:
    """The sends that these events ask for, in their order; at most one for each post and destination.

    Only a publication asks for a send: an edit or a deletion follows what was already sent. A feed that was never
    seeded asks for nothing, or its whole past would flood the chats.
    """
    if not feed.seeded:
        return ()
    published = (event.post for event in events if isinstance(event, Published))
    wishes = ((post, _listening(post, feed, subscribed)) for post in published if not post.unlisted)
    return tuple(Wish(uri=post.uri, by=by, place=place(post)) for post, by in wishes if by)


def _listening(post: Post, feed: Feed, subscribed: Index) -> Listeners:
    """All who want the post. Whole groups are merged: a look at each single listener would cost ten times as much."""
    found: dict[str, Subscription] = {}
    for tag in reversed(post.tags):
        found.update(subscribed.by_tag.get((post.source, fold(tag, post.source)), {}))
    found.update(subscribed.by_feed.get(feed.id, {}))
    return found


def place(post: Post) -> str:
    """Where a post was read, for people: the host."""
    return urlsplit(post.origin).netloc or post.origin
