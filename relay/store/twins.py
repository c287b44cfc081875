"""The same post on two networks: which of the posts that are known are copies of each other. Pure.

Copies stay posts of their own, each with its thread, its edits and its end. They are one for the outbox: where one of
them was brought, the other is not. A mere link to a post makes no copy of it, or a comment would count as one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, product

from relay.address import host_of, page
from relay.model import Post


def are_twins(one: Post, other: Post) -> bool:
    """Whether two sources tell of the same: one names the other as what it is, or both are one author's page."""
    if one.source == other.source:
        return False
    return _names(one, other) or _names(other, one) or _is_one_page(one, other)


def _names(copy: Post, original: Post) -> bool:
    """Whether the copy is known by the uri of the original, or by the address at which its author shows it."""
    if original.uri in copy.aliases:
        return True
    there = page(original.url)
    return there in claims(copy) and host_of(original.url) in _homes(original)


def _is_one_page(one: Post, other: Post) -> bool:
    """A feed's entry about its site's own page is what the site says elsewhere; one about another's page is not."""
    there = page(one.url)
    return there != "" and there == page(other.url) and host_of(one.url) in _homes(one) & _homes(other)


def _homes(post: Post) -> set[str]:
    return {host_of(post.author.uri), host_of(post.author.url)} - {""}


def claims(post: Post) -> tuple[str, ...]:
    """The pages of other places that a source says a post is a copy of, as :func:`relay.address.page` writes them.

    Names that it has where it was read, and those that are made of its own, are no such claim.
    """
    foreign = [one for one in post.aliases if not one.startswith(post.origin) and post.uri not in one]
    if not foreign:  # as good as always: the rest is for what a bridge brought
        return ()
    own, home = page(post.url), host_of(post.origin)
    return tuple(there for one in foreign if host_of(one) != home and (there := page(one)) not in {"", own})


def pages(post: Post) -> Iterator[str]:
    """Under which pages a twin of the post may be known."""
    if there := page(post.url):
        yield there
    yield from claims(post)


def find_twins(posts: Iterable[Post]) -> dict[str, list[str]]:
    """The uris of each post's twins among the others, by its own uri."""
    groups: defaultdict[str, defaultdict[str, list[Post]]] = defaultdict(lambda: defaultdict(list))
    for post in posts:
        for name in {post.uri, *post.aliases, *pages(post)}:
            groups[name][post.source].append(post)
    found: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for group in groups.values():
        for one, other in _pairs(list(group.values())):
            if are_twins(one, other):
                found[one.uri][other.uri] = found[other.uri][one.uri] = None
    return {uri: list(twins) for uri, twins in found.items()}


def _pairs(groups: Sequence[Sequence[Post]]) -> Iterator[tuple[Post, Post]]:
    """Each post with each one of the other sources."""
    for some, others in combinations(groups, 2):
        yield from product(some, others)
