"""Posts of a conversation → one author's thread. Pure.

A thread is the chain of posts in which an author answers themselves. Who answers whom is looked up, never taken from a
hint; what the author wrote under somebody else's comment is not part of it.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import groupby
from types import MappingProxyType
from typing import TypeVar

from relay.model import Event, Post, PostUri, Published, Removed, Thread

Item = TypeVar("Item")

_Age = tuple[datetime, str]
"""When a post was published, and its uri: the order of posts where no reply orders them."""

_NEVER: _Age = (datetime.max.replace(tzinfo=UTC), "")
_NOWHERE = PostUri("")
_NO_LINKS: Mapping[str, str] = MappingProxyType({})


def unroll(posts: Iterable[Post | Removed], anchor: str, *, links: Mapping[str, str] = _NO_LINKS) -> Thread | None:
    """The thread in which the post called ``anchor`` (uri, alias or web address) stands; None where it is not found.

    ``posts`` are any of a conversation, other people's too; their order does not matter. A ``Removed`` is taken for a
    post of the thread's author: leave out those of others. ``links`` are parent links once seen, from a post's uri to
    its parent's uri or alias; they speak for removed posts and for posts that no longer say what they answered.
    """
    bag = _Bag(posts, links)
    start = bag.names.get(anchor)
    return _Tree(bag, bag.author_around(start)).thread(start) if start else None


def in_order(posts: Iterable[Post]) -> list[Post]:
    """Each post once, oldest first, but none before a post that it answers, whatever their clocks said.

    What is of one time and answers nothing here stays in its order: a feed may date all its entries alike.
    """
    posts = list(posts)
    if not any(post.reply_to for post in posts) and len({post.uri for post in posts}) == len(posts):
        return sorted(posts, key=lambda one: one.published)
    bag = _Bag(posts, _NO_LINKS)
    placed: dict[PostUri, Post] = {}
    for post in sorted(bag.readable.values(), key=lambda one: one.published):
        uri, branch = post.uri, dict[PostUri, Post]()
        while uri in bag.readable and uri not in placed and uri not in branch:
            branch[uri] = bag.readable[uri]
            uri = bag.parent(uri)
        placed.update(reversed(branch.items()))
    return list(placed.values())


def events_in_order(told: Iterable[Item], event_of: Callable[[Item], Event]) -> list[Item]:
    """What was told at once, publications as :func:`in_order` has them; none is moved past an edit or a deletion."""
    told = list(told)
    if len(told) < 2:
        return told
    ordered: list[Item] = []
    with_news = ((one, event.post if isinstance(event := event_of(one), Published) else None) for one in told)
    for _, group in groupby(with_news, key=lambda one: one[1] is None):
        run = list(group)
        ranks = {post.uri: rank for rank, post in enumerate(in_order(post for _, post in run if post))}
        ordered += [one for one, _ in sorted(run, key=lambda one: ranks[one[1].uri] if one[1] else 0)]
    return ordered


class _Bag:
    """Posts by any of their names, each once, and what each of them answers."""

    def __init__(self, posts: Iterable[Post | Removed], links: Mapping[str, str]) -> None:
        copies: defaultdict[PostUri, list[Post]] = defaultdict(list)
        self.removed: dict[PostUri, Removed] = {}
        for post in posts:
            if isinstance(post, Post):
                copies[post.uri].append(post)
            else:
                self.removed[post.uri] = post
        for found in copies.values():
            if len(found) > 1:
                found.sort(key=_freshness, reverse=True)
        self.readable = {uri: found[0] for uri, found in copies.items() if uri not in self.removed}
        aliases = {name: post.uri for post in self.removed.values() for name in post.aliases}
        self.names = aliases | _names(copies) | {uri: uri for uri in self.removed}
        known = {uri: post.reply_to for uri, post in self.removed.items()}
        self.refs = {
            uri: self._ref(copies[uri]) or links.get(uri, "") or known.get(uri, "")
            for uri in (*self.removed, *self.readable)
        }

    def _ref(self, copies: list[Post]) -> str:
        """What the post answers: the freshest copy's word for it that is a name here, else its freshest word."""
        refs = [post.reply_to for post in copies if post.reply_to]
        return next((ref for ref in refs if ref in self.names), refs[0] if refs else "")

    def parent(self, uri: PostUri) -> PostUri:
        return self.names.get(self.refs[uri], _NOWHERE)

    def removed_above(self, uri: PostUri) -> Iterator[PostUri]:
        """The unbroken line of removed posts that this one answers, upwards."""
        seen = {uri}
        while (uri := self.parent(uri)) in self.removed and uri not in seen:
            seen.add(uri)
            yield uri

    def author_around(self, uri: PostUri) -> str:
        """Whose post it is; a removed one is of the author of what it answered, else of the oldest answer to it."""
        *_, top = uri, *self.removed_above(uri)
        above = self.readable.get(uri) or self.readable.get(self.parent(top))
        nearest = above or min(self._answers_below(uri), key=_age, default=None)
        return nearest.author.uri if nearest else ""

    def _answers_below(self, removed: PostUri) -> Iterator[Post]:
        """The readable posts that answer a removed one, or one of the unbroken lines of removed posts below it."""
        answers: defaultdict[PostUri, list[PostUri]] = defaultdict(list)
        for uri in self.refs:
            answers[self.parent(uri)].append(uri)
        waiting, seen = [removed], {removed}
        while waiting:
            for uri in answers[waiting.pop()]:
                if uri in self.readable:
                    yield self.readable[uri]
                elif uri not in seen:
                    seen.add(uri)
                    waiting.append(uri)


class _Tree:
    """What one author answered to themselves. A removed post is in it where a later one keeps its place."""

    def __init__(self, bag: _Bag, author: str) -> None:
        self._bag = bag
        self._ages: dict[PostUri, _Age] = {}
        for post in sorted((post for post in bag.readable.values() if post.author.uri == author), key=_age):
            self._ages[post.uri] = _age(post)
            for uri in bag.removed_above(post.uri):
                if uri in self._ages:
                    break
                self._ages[uri] = _age(post)
        self._replies: defaultdict[PostUri, list[PostUri]] = defaultdict(list)
        for uri in sorted(self._ages, key=self._order, reverse=True):
            self._replies[bag.parent(uri)].append(uri)

    def thread(self, start: PostUri) -> Thread:
        path, parent = self._climb(start)
        used = set(path)
        spine = [*path, *self._oldest_chain(path[-1], used)]
        while len(spine) > 1 and spine[-1] in self._bag.removed:
            spine.pop()
        return Thread(
            posts=tuple(self._post(uri) for uri in spine),
            asides=tuple(self._asides(spine, used)),
            parent=parent,
        )

    def _climb(self, start: PostUri) -> tuple[list[PostUri], str]:
        """The path from the first post down to ``start``, and what the first one answers."""
        up, seen = [start], {start}
        while (above := self._bag.parent(up[-1])) not in seen and (above in self._ages or above in self._bag.removed):
            up.append(above)
            seen.add(above)
        parent = self._bag.refs[up[-1]]
        if above in seen:  # a cycle: its oldest post is the first, wherever the cycle is entered
            first = min(up[up.index(above) :], key=self._order)
            up, parent = up[: up.index(first) + 1], ""
        lowest = next((place for place, uri in enumerate(up) if uri in self._ages), len(up) - 1)
        return up[lowest:][::-1], parent

    def _oldest_chain(self, uri: PostUri, used: set[PostUri]) -> Iterator[PostUri]:
        """The oldest reply that is not used yet, its oldest reply, and so on; they are used then."""
        replies = self._replies[uri]
        while replies:
            if (reply := replies.pop()) not in used:
                used.add(reply)
                yield reply
                replies = self._replies[reply]

    def _asides(self, spine: list[PostUri], used: set[PostUri]) -> list[tuple[Post, ...]]:
        asides = []
        waiting = deque(spine)
        while waiting:
            uri = waiting.popleft()
            while chain := list(self._oldest_chain(uri, used)):
                waiting.extend(chain)
                asides.append(tuple(self._bag.readable[one] for one in chain if one in self._bag.readable))
        return sorted(filter(None, asides), key=lambda aside: _age(aside[0]))

    def _post(self, uri: PostUri) -> Post | Removed:
        return self._bag.removed.get(uri) or self._bag.readable[uri]

    def _order(self, uri: PostUri) -> tuple[_Age, str]:
        return self._ages.get(uri, _NEVER), uri


def _age(post: Post) -> _Age:
    return post.published, post.uri


def _freshness(post: Post) -> tuple[datetime, str]:
    """The latest version of a post counts; among equals any will do, so long as it is always the same."""
    return post.edited or post.published, repr(post)


def _names(copies: Mapping[PostUri, list[Post]]) -> dict[str, PostUri]:
    """A uri names its own post, whoever else claims it; an alias of two posts names the first of them by uri."""
    names: dict[str, PostUri] = {}
    for uri in sorted(copies, reverse=True):
        names.update((name, uri) for post in copies[uri] for name in (post.url, *post.aliases) if name)
    return names | {uri: uri for uri in copies}
