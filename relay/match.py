"""Who wants a post: event × subscriptions → wishes, with the reason for each.

Pure. Does not know what was already sent: that nothing is sent twice is the store's unique (destination, uri, version).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from urllib.parse import urlsplit

from relay.hashtag import fold
from relay.model import Event, Feed, FeedId, MediaKind, Only, Post, Published, Subscription
from relay.ports import Wish

Listeners = Mapping[str, Subscription]
"""Who listens, by destination as it is written: two subscriptions for one destination want one send."""


Choosy = Sequence[tuple[str, Subscription]]
"""Who wants only some of the posts, and so must be asked one by one; by destination, as above."""


@dataclass(frozen=True, slots=True)
class Index:
    """Subscriptions by what they listen to, so that a match costs the post's hashtags, not the subscriptions."""

    by_tag: Mapping[tuple[str, str], Listeners]
    by_feed: Mapping[FeedId, Listeners]
    choosy_by_tag: Mapping[tuple[str, str], Choosy] = field(default_factory=dict)
    choosy_by_feed: Mapping[FeedId, Choosy] = field(default_factory=dict)


Key = TypeVar("Key", bound=Hashable)


def index(subscriptions: Iterable[Subscription]) -> Index:
    """Those that are paused are left out: they want nothing."""
    by_tag: _Groups[tuple[str, str]] = _Groups()
    by_feed: _Groups[FeedId] = _Groups()
    for subscription in subscriptions:
        if not subscription.paused:
            by_tag.add(subscription, subscription.tags)
            by_feed.add(subscription, subscription.feeds)
    return Index(by_tag.all, by_feed.all, by_tag.choosy, by_feed.choosy)


class _Groups(Generic[Key]):
    """Who listens to the same; of one destination's subscriptions the first that wants a post counts."""

    def __init__(self) -> None:
        self.all: dict[Key, dict[str, Subscription]] = {}
        self.choosy: dict[Key, list[tuple[str, Subscription]]] = {}

    def add(self, subscription: Subscription, keys: Iterable[Key]) -> None:
        name = str(subscription.destination)
        choosy = bool(subscription.languages) or subscription.only is not Only.ALL
        for key in keys:
            if not choosy:
                self.all.setdefault(key, {}).setdefault(name, subscription)
            elif name not in self.all.get(key, {}):  # else the earlier one wants all that this one may
                self.choosy.setdefault(key, []).append((name, subscription))


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
        key = post.source, fold(tag, post.source)
        found.update(subscribed.by_tag.get(key, {}))
        if subscribed.choosy_by_tag:
            found.update(_choosing(post, subscribed.choosy_by_tag.get(key, ())))
    found.update(subscribed.by_feed.get(feed.id, {}))
    found.update(_choosing(post, subscribed.choosy_by_feed.get(feed.id, ())))
    return found


def _choosing(post: Post, choosy: Choosy) -> Iterable[tuple[str, Subscription]]:
    """Those who want the post; the first of a destination comes last, to stand above the others."""
    return ((name, one) for name, one in reversed(choosy) if wants(one, post))


def wants(subscription: Subscription, post: Post) -> bool:
    """Whether a post is of the languages and of the kind that a subscription is for."""
    return _is_in(subscription.languages, post.language) and _is_kind(subscription.only, post)


def _is_in(languages: tuple[str, ...], language: str) -> bool:
    """``es`` wants ``es`` and ``es-419``; what is in a language that nobody told may be in any."""
    spoken = language.replace("_", "-").casefold()
    if not languages or spoken in {"", "und"}:
        return True
    return any(f"{spoken}-".startswith(f"{wanted.casefold()}-") for wanted in languages)


def _is_kind(only: Only, post: Post) -> bool:
    match only:
        case Only.ALL:
            return True
        case Only.MEDIA:
            return any(media.kind is not MediaKind.FILE for media in post.media)
        case Only.ORIGINALS:
            return not post.reply_to or post.reply_to_author == post.author.uri


def place(post: Post) -> str:
    """Where a post was read, for people: the host."""
    return urlsplit(post.origin).netloc or post.origin
