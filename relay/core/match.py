"""Who wants a post: event × subscriptions → planned sends, with the reason for each.

Pure, but for what it notes in the :class:`Ration` that it is lent. Does not know what was already sent: that nothing is
sent twice is the store's unique (destination, uri, version).
"""

from __future__ import annotations

import sys
from bisect import bisect_left, insort
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence, Set
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import chain
from operator import attrgetter
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from relay.core.filters import Reading, is_set, objection
from relay.core.hashtag import fold
from relay.model import Event, Feed, FeedId, Post, Published, Subscription, SubscriptionId
from relay.options import DeliveryOptions, Filters
from relay.records import PlannedSend

_HOUR = timedelta(hours=1)
_AUTHORS = 20_000
_PART = 4_096
"""Numbers of subscriptions in one list. What grows as a whole is copied whole, which at 700,000 took 34 ms."""


class Ration:
    """Which posts of whom each subscription was brought within the last hour, for those that want so many at most.

    It is bounded, forgotten with the process, and each process has its own.
    """

    def __init__(self) -> None:
        self._brought: OrderedDict[tuple[SubscriptionId, str], deque[tuple[datetime, str]]] = OrderedDict()

    def take(self, one: Subscription | Candidate, post: Post, now: datetime) -> bool:
        """Whether one more post of its author is wanted, which is then noted. The same post again is not one more."""
        most, key = one.filters.per_hour, (one.id, post.author.uri)
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


class Choices(msgspec.Struct, frozen=True, gc=False):
    """What a subscription says of how it is to be served; held once for all that say the same."""

    delivery_options: DeliveryOptions
    filters: Filters


_choices = lru_cache(4_096)(Choices)


class Candidate(msgspec.Struct, frozen=True, gc=False):
    """What the match has to know of a subscription.

    Small, as there may be a million, and the garbage collector passes over it.
    """

    id: SubscriptionId
    topic: str
    name: str
    """The destination as it is written."""
    choices: Choices
    links: tuple[str | FeedId, ...]
    """Of each hashtag the source and the folded word, then the feeds: one tuple takes less than one for each."""

    @property
    def delivery_options(self) -> DeliveryOptions:
        return self.choices.delivery_options

    @property
    def filters(self) -> Filters:
        return self.choices.filters

    @property
    def tags(self) -> list[Tag]:
        words = [one for one in self.links if isinstance(one, str)]
        return list(zip(words[::2], words[1::2], strict=True))

    @property
    def feeds(self) -> list[FeedId]:
        return [one for one in self.links if isinstance(one, int)]


Listeners = Mapping[str, Candidate]
"""Who listens, by destination as it is written: two subscriptions for one destination want one send."""

Tag = tuple[str, str]
"""A source, and a folded hashtag."""
Key = TypeVar("Key", bound=Hashable)
T = TypeVar("T")
_NOBODY: dict[str, Candidate] = {}
_id: Callable[[Candidate], SubscriptionId] = attrgetter("id")


class Groups(Set[Key]):
    """What is listened to, and who listens; of one destination's subscriptions the first that wants a post counts."""

    def __init__(self) -> None:
        self._plain: dict[Key, Candidate | dict[str, Candidate]] = {}
        """Those that want everything, by destination: the first of each. One alone has no dict around it."""
        self.choosy: dict[Key, list[Candidate]] = {}
        """Those that want only some of the posts, and so must be asked one by one; in the order of their ids."""
        self._spare: dict[Key, list[Candidate]] = {}
        """Those that want everything where an earlier one does so, too; in the order of their ids."""

    def __contains__(self, key: object) -> bool:
        return key in self._plain or key in self.choosy

    def __iter__(self) -> Iterator[Key]:
        return chain(self._plain, (key for key in self.choosy if key not in self._plain))

    def __len__(self) -> int:
        return len(self._plain) + sum(key not in self._plain for key in self.choosy)

    def __bool__(self) -> bool:
        return bool(self._plain or self.choosy)

    @classmethod
    def _from_iterable(cls, keys: Iterable[T]) -> set[T]:
        """What :class:`Set` makes of two of them."""
        return set(keys)

    def plain(self, key: Key) -> dict[str, Candidate]:
        """Those that want everything, by destination: the first of each."""
        found = self._plain.get(key, _NOBODY)
        return {found.name: found} if isinstance(found, Candidate) else found

    def any(self, key: Key) -> Candidate | None:
        """One that listens, where there is one.

        The latest: a dict passes over all that was deleted before its first entry, so that to put each of many anew
        would cost the square of their number.
        """
        return next(chain(reversed(self.plain(key).values()), self.choosy.get(key, ())), None)

    def add(self, one: Candidate, key: Key) -> None:
        if is_set(one.filters):
            insort(self.choosy.setdefault(key, []), one, key=_id)
            return
        group = self._plain.setdefault(key, one)
        if group is one:
            return
        if isinstance(group, Candidate):
            group = self._plain[key] = {group.name: group}
        first = group.setdefault(one.name, one)
        if first is not one:
            group[one.name], later = (one, first) if one.id < first.id else (first, one)
            insort(self._spare.setdefault(key, []), later, key=_id)

    def remove(self, one: Candidate, key: Key) -> None:
        """``one`` was added for the key."""
        if is_set(one.filters):
            _take_out(self.choosy, key, one)
            return
        group = self._plain[key]
        if isinstance(group, Candidate):
            del self._plain[key]
            return
        if group[one.name] is not one:
            _take_out(self._spare, key, one)
            return
        del group[one.name]
        if next_one := next((other for other in self._spare.get(key, ()) if other.name == one.name), None):
            _take_out(self._spare, key, next_one)
            group[one.name] = next_one
        elif not group:
            del self._plain[key]


def _take_out(groups: dict[Key, list[Candidate]], key: Key, one: Candidate) -> None:
    group = groups[key]
    del group[bisect_left(group, one.id, key=_id)]
    if not group:
        del groups[key]


class Index:
    """Subscriptions by what they listen to, so that a match costs the post's hashtags, not the subscriptions.

    Those that are paused are left out: they want nothing.
    """

    def __init__(self, subscriptions: Iterable[Subscription] = (), ration: Ration | None = None) -> None:
        self.by_tag: defaultdict[str, Groups[str]] = defaultdict(Groups)
        """By source, then by folded hashtag."""
        self.by_feed: Groups[FeedId] = Groups()
        self.ration = ration or Ration()
        self.news: set[Tag] = set()
        """Hashtags that somebody wants now, or nobody any more, since it was emptied."""
        self._there: dict[int, list[Candidate]] = {}
        """In the order of their ids, by these without the last digits."""
        for one in subscriptions:
            self.put(one)

    def __len__(self) -> int:
        return sum(map(len, self._there.values()))

    def ids(self) -> list[SubscriptionId]:
        return list(map(_id, chain.from_iterable(self._there.values())))

    def put(self, subscription: Subscription) -> Candidate | None:
        """Add a subscription, or take it as it is now; as what it was known before."""
        old = self.drop(subscription.id)
        if subscription.paused:
            return old
        one = self._listener(subscription)
        insort(self._there.setdefault(one.id // _PART, []), one, key=_id)
        for source, tag in one.tags:
            if tag not in self.by_tag[source]:
                self.news ^= {(source, tag)}
            self.by_tag[source].add(one, tag)
        for feed in one.feeds:
            self.by_feed.add(one, feed)
        return old

    def drop(self, subscription: SubscriptionId) -> Candidate | None:
        """Forget a subscription; as what it was known, where it was."""
        part = self._there.get(subscription // _PART, [])
        at = bisect_left(part, subscription, key=_id)
        if at == len(part) or part[at].id != subscription:
            return None
        one = part[at]
        _take_out(self._there, subscription // _PART, one)
        for source, tag in one.tags:
            self.by_tag[source].remove(one, tag)
            if tag not in self.by_tag[source]:
                self.news ^= {(source, tag)}
        for feed in one.feeds:
            self.by_feed.remove(one, feed)
        return one

    def _listener(self, new: Subscription) -> Candidate:
        """What many say alike is held once."""
        like = next((found for source, tag in new.tags if (found := self.by_tag[source].any(tag))), None)
        like = like or next((found for feed in new.feeds if (found := self.by_feed.any(feed))), None)
        words: list[str] = []
        for source, tag in new.tags:
            words += sys.intern(source), tag
        links: tuple[str | FeedId, ...] = (*words, *new.feeds)
        return Candidate(
            id=new.id,
            topic=like.topic if like and like.topic == new.topic else new.topic,
            name=sys.intern(str(new.destination)),
            choices=_choices(new.delivery_options, new.filters),
            links=like.links if like and like.links == links else links,
        )


def match(
    events: Iterable[Event], feed: Feed, subscribed: Index, now: datetime | None = None
) -> tuple[PlannedSend, ...]:
    """The sends that these events ask for, in their order; at most one for each post and destination.

    Only a publication asks for a send: an edit or a deletion follows what was already sent. A feed that was never
    seeded asks for nothing, or its whole past would flood the chats. ``now`` None: when the post was published.
    """
    if not feed.seeded:
        return ()
    published = (event.post for event in events if isinstance(event, Published))
    planned_sends = ((post, _listening(post, feed, subscribed, now)) for post in published if not post.unlisted)
    return tuple(PlannedSend(uri=post.uri, by=by, place=place(post)) for post, by in planned_sends if by)


def _listening(post: Post, feed: Feed, subscribed: Index, now: datetime | None) -> Listeners:
    """All who want the post. Whole groups are merged: a look at each single listener would cost ten times as much."""
    tags = [fold(tag, post.source) for tag in post.tags]
    by_tag, by_feed = subscribed.by_tag[post.source], subscribed.by_feed
    plain = [by_feed.plain(feed.id), *map(by_tag.plain, tags)]
    if by_feed.choosy or by_tag.choosy:
        choosy = [by_feed.choosy.get(feed.id, ()), *(by_tag.choosy.get(key, ()) for key in tags)]
        if any(choosy):
            return _asked(plain, choosy, Reading(post, now or post.published), subscribed.ration)
    found: dict[str, Candidate] = {}
    for group in reversed(plain):
        found.update(group)
    return found


def _asked(
    plain: Sequence[Listeners], choosy: Sequence[Sequence[Candidate]], reading: Reading, ration: Ration
) -> Listeners:
    """The same where some are choosy: of one destination's subscriptions the first that wants the post counts.

    Who has the post already is not asked, so that a ration is only spent on what is brought.
    """
    layers: list[Listeners] = []
    for everything, some in zip(plain, choosy, strict=True):
        chosen: dict[str, Candidate] = {}
        for one in some:
            taken = one.name in chosen or any(one.name in layer for layer in layers)
            earlier = everything.get(one.name)
            if not taken and not (earlier and earlier.id < one.id) and _wants(one, reading, ration):
                chosen[one.name] = one
        layers += (chosen, everything)
    found: dict[str, Candidate] = {}
    for layer in reversed(layers):
        found.update(layer)
    return found


def _wants(one: Candidate, reading: Reading, ration: Ration) -> bool:
    if objection(one.filters, reading) is not None:
        return False
    return not one.filters.per_hour or ration.take(one, reading.post, reading.now)


def place(post: Post) -> str:
    """Where a post was read, for people: the host."""
    return urlsplit(post.origin).netloc or post.origin
