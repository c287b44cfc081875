"""The same post at two places: what is a copy of what, and what reads alike. Pure.

Posts of this kind stay posts of their own, each with its thread, its edits and its end. They are one for the outbox,
in a way in which nobody can keep another's words away:

- A *copy* says so itself, and yields to the original: where both are known the original is shown. So who claims to be
  a copy of another's post keeps back only the claim. A mere link to a post is no claim. The entry of a feed that
  repeats a post of its own host word by word is one, too.
- Posts that *read alike* are two sources', or two feeds', whose readers see the same: then one of them is enough, for
  as long as they read alike.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, permutations

from relay.core.authenticity import is_home
from relay.core.urls import host_of, page
from relay.model import Post
from relay.store.content import content

_MOST = 50
"""So many posts that read alike are looked at: more are shown twice rather than compared."""

Uris = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Which of the posts are related, by their uris."""

    originals: Uris = field(default_factory=dict)
    """Of each copy."""
    copies: Uris = field(default_factory=dict)
    """Of each original."""
    alike: Uris = field(default_factory=dict)


# --- copies ---


def is_copy(copy: Post, original: Post) -> bool:
    """Whether one says of itself that it is a copy of the other; no two posts are copies of each other."""
    return _is_of(copy, original) and not _is_of(original, copy)


def _is_of(copy: Post, original: Post) -> bool:
    if copy.source == original.source:
        return False
    return _is_made_of(copy, original) or _claims(copy, original) or _repeats(copy, original)


def _is_made_of(copy: Post, original: Post) -> bool:
    """A bridge names what it carries after the original, whose own source knows that name."""
    return copy.uri in original.aliases and copy.uri.endswith(original.uri) and copy.uri != original.uri


def _claims(copy: Post, original: Post) -> bool:
    """The original is known at the address that is claimed by the author's own host, and the copy's author is not."""
    author = original.author.uri
    if not _speaks(original) or is_home(original.uri, copy.author.uri):
        return False
    if original.uri in foreign_names(copy):
        return True
    there = {page(one) for one in (original.uri, original.url) if is_home(one, author)}
    return not there.isdisjoint(claims(copy))


def _speaks(post: Post) -> bool:
    """Whether its author's own host gave it its name: so each page there is one author's, as the host sees to it."""
    return is_home(post.uri, post.author.uri)


def _repeats(copy: Post, original: Post) -> bool:
    """A feed of the author's own host repeats it: what that host says of the post itself counts, and its end too."""
    if not _speaks(original) or _speaks(copy) or _place(copy) != _place(original):
        return False
    return (_look(copy) == _look(original) or not any(content(original))) and _may_be_alike(copy, original)


def foreign_names(post: Post) -> list[str]:
    """Names that it has neither from where it was read, nor made of its own."""
    return [one for one in post.aliases if not one.startswith(post.origin) and post.uri not in one]


def claims(post: Post) -> tuple[str, ...]:
    """The pages of other places that a source says a post is a copy of, as :func:`relay.core.urls.page` writes them."""
    foreign = foreign_names(post)
    if not foreign:  # as good as always: the rest is for what a bridge brought
        return ()
    own, home = page(post.url), host_of(post.origin)
    return tuple(there for one in foreign if host_of(one) != home and (there := page(one)) not in {"", own})


def pages(post: Post) -> Iterator[str]:
    """Under which pages a post's kin may be known."""
    if there := page(post.url):
        yield there
    yield from claims(post)


# --- what reads alike ---


def _look(post: Post) -> Hashable:
    return _place(post), content(post), post.quote, post.link_card and post.link_card.url


def _place(post: Post) -> tuple[str, datetime]:
    return page(post.url), post.published.replace(microsecond=0)


def _may_be_alike(one: Post, other: Post) -> bool:
    """Of two feeds of one host, or each at home where the page is; by the same name, and no copy of anything else."""
    if _feed(one) == _feed(other) or not page(one.url) or claims(one) or claims(other):
        return False
    known = one.author.handle and other.author.handle
    who = (one.author.handle, other.author.handle) if known else (one.author.name, other.author.name)
    near = is_home(one.origin, other.origin) or (_is_at_home(one) and _is_at_home(other))
    return who[0] == who[1] and near


def _feed(post: Post) -> tuple[str, str]:
    """Where it was read, and who writes there: lists of mirrors have the address of their first one."""
    return post.origin, post.author.uri


def _is_at_home(post: Post) -> bool:
    return is_home(post.url, post.author.uri) or is_home(post.url, post.author.url)


# --- all of them ---


def find_duplicates(posts: Iterable[Post]) -> Duplicates:
    by_uri: dict[str, Post] = {post.uri: post for post in posts}
    if len(by_uri) < 2:
        return Duplicates()
    by_page: defaultdict[str, list[Post]] = defaultdict(list)
    for post in by_uri.values():
        if there := page(post.url):
            by_page[there].append(post)
    originals: defaultdict[str, dict[str, None]] = defaultdict(dict)
    copies: defaultdict[str, dict[str, None]] = defaultdict(dict)
    alike: defaultdict[str, dict[str, None]] = defaultdict(dict)
    shared = [same for same in by_page.values() if len(same) > 1 and len({_feed(post) for post in same}) > 1]
    for copy, original in chain(_named(by_uri, by_page), _beside(shared)):
        if is_copy(copy, original):
            originals[copy.uri][original.uri] = copies[original.uri][copy.uri] = None
    for one, other in _looking_alike(shared):
        if _may_be_alike(one, other) and _speaks(one) == _speaks(other):
            alike[one.uri][other.uri] = None
    return Duplicates(_listed(originals), _listed(copies), _listed(alike))


def _named(by_uri: Mapping[str, Post], by_page: Mapping[str, Sequence[Post]]) -> Iterator[tuple[Post, Post]]:
    """Each post with those that it names, both ways."""
    for post in by_uri.values():
        named = [by_uri[one] for one in post.aliases if one in by_uri]
        named += [one for there in claims(post) for one in by_page.get(there, ())]
        for other in named:
            yield post, other
            yield other, post


def _beside(shared: Iterable[Sequence[Post]]) -> Iterator[tuple[Post, Post]]:
    """What stands at the page of a post whose host gave it its name, with that post."""
    for posts in shared:
        for original in [post for post in posts if _speaks(post)][:_MOST]:
            yield from ((post, original) for post in posts if post is not original)


def _looking_alike(shared: Iterable[Sequence[Post]]) -> Iterator[tuple[Post, Post]]:
    for posts in shared:
        looks: defaultdict[Hashable, list[Post]] = defaultdict(list)
        for post in posts:
            looks[_look(post)].append(post)
        for same in looks.values():
            yield from permutations(same[:_MOST], 2)


def _listed(found: Mapping[str, Mapping[str, None]]) -> Uris:
    return {uri: list(others) for uri, others in found.items()}
