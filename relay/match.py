"""Who wants a post: event × subscriptions → wishes, with the reason for each.

Pure, but for what it notes in the :class:`Ration` that it is lent. Does not know what was already sent: that nothing is
sent twice is the store's unique (destination, uri, version).
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeVar
from urllib.parse import urlsplit

from relay.hashtag import fold
from relay.model import Event, Feed, FeedId, Post, Published, Subscription, SubscriptionId
from relay.ports import Wish
from relay.wanting import Reading, is_choosy, objection

_HOUR = timedelta(hours=1)
_AUTHORS = 20_000

Listeners = Mapping[str, Subscription]
"""Who listens, by destination as it is written: two subscriptions for one destination want one send."""


Choosy = Sequence[tuple[str, Subscription]]
"""Who wants only some of the posts, and so must be asked one by one; by destination, as above."""


class Ration:
    """Which posts of whom each subscription was brought within the last hour, for those that want so many at most.

    It is bounded, forgotten with the process, and each process has its own.
    """

    def __init__(self) -> None:
        self._brought: OrderedDict[tuple[SubscriptionId, str], deque[tuple[datetime, str]]] = OrderedDict()

    def take(self, one: Subscription, post: Post, now: datetime) -> bool:
        """Whether one more post of its author is wanted, which is then noted. The same post again is not one more."""
        most, key = one.sieve.per_hour, (one.id, post.author.uri)
        brought = self._brought.setdefault(key, deque())
        self._brought.move_to_end(key)
        while len(self._brought) > _AUTHORS:
            self._brought.popitem(last=False)
        while brought and now - brought[0][0] >= _HOUR:
            brought.popleft()
        if any(uri == post.uri for _, uri in brought):
            return True
        if len(brought) >= most:
            return False
        brought.append((now, post.uri))
        return True


@dataclass(frozen=True, slots=True)
class Index:
    """Subscriptions by what they listen to, so that a match costs the post's hashtags, not the subscriptions."""

    by_tag: Mapping[tuple[str, str], Listeners]
    by_feed: Mapping[FeedId, Listeners]
    choosy_by_tag: Mapping[tuple[str, str], Choosy] = field(default_factory=dict)
    choosy_by_feed: Mapping[FeedId, Choosy] = field(default_factory=dict)
    ration: Ration = field(default_factory=Ration)


Key = TypeVar("Key", bound=Hashable)


def index(subscriptions: Iterable[Subscription], ration: Ration | None = None) -> Index:
    """Those that are paused are left out: they want nothing. ``ration`` goes on from an index to the next one."""
    by_tag: _Groups[tuple[str, str]] = _Groups()
    by_feed: _Groups[FeedId] = _Groups()
    for subscription in subscriptions:
        if not subscription.paused:
            by_tag.add(subscription, subscription.tags)
            by_feed.add(subscription, subscription.feeds)
    return Index(by_tag.all, by_feed.all, by_tag.choosy, by_feed.choosy, ration or Ration())


class _Groups(Generic[Key]):
    """Who listens to the same; of one destination's subscriptions the first that wants a post counts."""

    def __init__(self) -> None:
        self.all: dict[Key, dict[str, Subscription]] = {}
        self.choosy: dict[Key, list[tuple[str, Subscription]]] = {}

    def add(self, subscription: Subscription, keys: Iterable[Key]) -> None:
        name = str(subscription.destination)
        choosy = is_choosy(subscription)
        for key in keys:
            if not choosy:
                self.all.setdefault(key, {}).setdefault(name, subscription)
            elif name not in self.all.get(key, {}):  # else the earlier one wants all that this one may
                self.choosy.setdefault(key, []).append((name, subscription))


def match(events: Iterable[Event], feed: Feed, subscribed: Index, now: datetime | None = None) -> tuple[Wish, ...]:
    """The sends that these events ask for, in their order; at most one for each post and destination.

    Only a publication asks for a send: an edit or a deletion follows what was already sent. A feed that was never
    seeded asks for nothing, or its whole past would flood the chats. ``now`` None: when the post was published.
    """
    if not feed.seeded:
        return ()
    published = (event.post for event in events if isinstance(event, Published))
    wishes = ((post, _listening(post, feed, subscribed, now)) for post in published if not post.unlisted)
    return tuple(Wish(uri=post.uri, by=by, place=place(post)) for post, by in wishes if by)


def _listening(post: Post, feed: Feed, subscribed: Index, now: datetime | None) -> Listeners:
    """All who want the post. Whole groups are merged: a look at each single listener would cost ten times as much."""
    if subscribed.choosy_by_tag or subscribed.choosy_by_feed:
        return _asked(post, feed, subscribed, now or post.published)
    found: dict[str, Subscription] = {}
    for tag in reversed(post.tags):
        found.update(subscribed.by_tag.get((post.source, fold(tag, post.source)), _NOBODY))
    found.update(subscribed.by_feed.get(feed.id, _NOBODY))
    return found


_NOBODY: Listeners = {}


def _asked(post: Post, feed: Feed, subscribed: Index, now: datetime) -> Listeners:
    """The same where some are choosy: of one destination's subscriptions the first that wants the post counts.

    Who has the post already is not asked, so that a ration is only spent on what is brought.
    """
    tags = [(post.source, fold(tag, post.source)) for tag in post.tags]
    plain = [subscribed.by_feed.get(feed.id, _NOBODY), *(subscribed.by_tag.get(key, _NOBODY) for key in tags)]
    choosy = [subscribed.choosy_by_feed.get(feed.id, ()), *(subscribed.choosy_by_tag.get(key, ()) for key in tags)]
    reading = Reading(post, now)
    layers: list[Listeners] = []
    for everything, some in zip(plain, choosy, strict=True):
        chosen: dict[str, Subscription] = {}
        for name, one in some:
            taken = name in chosen or any(name in layer for layer in layers)
            if not taken and _wants(one, reading, subscribed.ration):
                chosen[name] = one
        layers += (chosen, everything)
    found: dict[str, Subscription] = {}
    for layer in reversed(layers):
        found.update(layer)
    return found


def _wants(one: Subscription, reading: Reading, ration: Ration) -> bool:
    if objection(one, reading) is not None:
        return False
    return not one.sieve.per_hour or ration.take(one, reading.post, reading.now)


def place(post: Post) -> str:
    """Where a post was read, for people: the host."""
    return urlsplit(post.origin).netloc or post.origin
