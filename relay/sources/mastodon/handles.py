"""The handle of an account whose server has another address in the web than in its people's names.

Such a server says so of itself, and the domain's own WebFinger (RFC 7033) has to lead back to the account: neither is
believed alone, and no other server's word. Until then the handle is of the host that the account's uri names.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import msgspec

from relay.core.authenticity import is_home
from relay.model import Author, Deleted, Edited, Event, Post, Published
from relay.sources.kit import Ok
from relay.sources.mastodon.about import About
from relay.sources.mastodon.api import MastodonApi
from relay.sources.mastodon.shapes import Raw, read, read_all

_KEPT = timedelta(days=7)
_AGAIN = timedelta(hours=1)
_MOST = 20
"""Domains' answers that are waited for after one poll."""
_PATIENCE = timedelta(seconds=5)
_REMEMBERED = 5_000
_TYPES = ("application/activity+json", "application/ld+json")


class _Link(msgspec.Struct):
    rel: str | None = None
    type: str | None = None
    href: str | None = None


class _Resource(msgspec.Struct):
    subject: str | None = None
    links: Raw = Raw()


def actor_of(body: bytes, who: str, domain: str) -> str:
    """Which actor a WebFinger document names for ``who@domain``; empty where it is of another account, or of none."""
    told = read(body, _Resource)
    if told is None or (told.subject or "").lower() not in {"", f"acct:{who}@{domain}".lower()}:
        return ""
    links = (link for link in read_all(told.links, _Link) if link.rel == "self")
    return next((link.href for link in links if link.href and (link.type or "").startswith(_TYPES)), "")


async def find_actor(api: MastodonApi, scheme: str, who: str, domain: str) -> str | None:
    """The uri of an account by the word of its domain; empty: that has no such account, None: it does not say."""
    resource = f"acct:{who}@{domain}"
    answer = await api.get_text(f"{scheme}://{domain}/.well-known/webfinger", [("resource", resource)])
    return actor_of(answer.body, who, domain) if isinstance(answer, Ok) else None


@dataclass(slots=True)
class Handles:
    """Which domains vouch for which accounts, as far as they were asked."""

    about: About
    patience: timedelta = _PATIENCE
    _vouched: dict[tuple[str, str], datetime] = field(default_factory=dict)
    """Until when it is known that a handle is an account's."""
    _denied: dict[tuple[str, str, bool], datetime] = field(default_factory=dict)
    """Until when a domain is not asked for the accounts of a host, of which that host or another one told."""

    async def named(self, events: Sequence[Event]) -> list[Event]:
        """The events, with the handles of their authors as the authors' domains vouch for them."""
        posts = await self.of_posts([event.post for event in events if not isinstance(event, Deleted)])
        them = iter(posts)
        return [event if isinstance(event, Deleted) else with_post(event, next(them)) for event in events]

    async def of_posts(self, posts: Iterable[Post]) -> list[Post]:
        """The same for posts, and for what they quote."""
        said = list(posts)
        claims: dict[tuple[str, str], bool] = {}
        for post in said:
            for author in _authors(post):
                claim = author.claim or await self._own_claim(author, post.origin)
                if claim and claim != author.handle:
                    is_own = is_home(post.origin, author.uri)
                    claims[author.uri, claim] = is_own or claims.get((author.uri, claim), False)
        await self._look(claims)
        names = {uri: claim for uri, claim in claims if self._vouched.get((uri, claim))}
        return [_renamed(post, names) for post in said]

    async def of_author(self, author: Author, base: str) -> Author:
        """The same for one account that the server at ``base`` told of."""
        claim = author.claim or await self._own_claim(author, base)
        if claim and claim != author.handle:
            await self._look({(author.uri, claim): is_home(base, author.uri)})
        return _author(author, {author.uri: claim} if (author.uri, claim) in self._vouched else {})

    async def _own_claim(self, author: Author, base: str) -> str:
        """What a server says that its own people are called."""
        if not (author.handle and is_home(base, author.uri)):
            return ""
        try:
            async with asyncio.timeout(self.patience.total_seconds()):
                domain = await self.about.domain(base)
        except TimeoutError:
            return ""
        return f"@{author.handle[1:].partition('@')[0]}@{domain}" if domain else ""

    async def _look(self, claims: Mapping[tuple[str, str], bool]) -> None:
        """Ask the domains; what is not answered in time is asked again when the account is met again.

        Of each claim it is told whether it is the account's own server's.
        """
        now = self.about.api.clock()
        due = [one for one, is_own in claims.items() if self._is_due(one, now, is_own=is_own)][:_MOST]
        if not due:
            return
        asking = [asyncio.create_task(self._ask(uri, claim, is_own=claims[uri, claim])) for uri, claim in due]
        try:
            await asyncio.wait(asking, timeout=self.patience.total_seconds())
        finally:
            for task in asking:
                task.cancel()
            ended = await asyncio.gather(*asking, return_exceptions=True)
        for end in ended:
            if isinstance(end, Exception):
                raise end

    def _is_due(self, claim: tuple[str, str], now: datetime, *, is_own: bool) -> bool:
        if len(self._vouched) >= _REMEMBERED:
            self._vouched.clear()
        if len(self._denied) >= _REMEMBERED:
            self._denied.clear()
        return self._vouched.get(claim, now) <= now and self._denied.get((*_pair(claim), is_own), now) <= now

    async def _ask(self, uri: str, claim: str, *, is_own: bool) -> None:
        """Another server's word counts where the account's own one agrees: a domain may lead to anybody's account."""
        who, _, domain = claim[1:].partition("@")
        told = await find_actor(self.about.api, urlsplit(uri).scheme, who, domain)
        now = self.about.api.clock()
        pair = (*_pair((uri, claim)), is_own)
        self._denied[pair] = now + _AGAIN
        if told == uri and (is_own or await self.about.domain(_base(uri)) == domain.lower()):
            self._vouched[uri, claim] = now + _KEPT
            self._denied.pop(pair, None)
            return
        if told is not None:  # one that is silent may be back; what it vouched for is shown until it says otherwise
            self._vouched.pop((uri, claim), None)


def _base(uri: str) -> str:
    where = urlsplit(uri)
    return f"{where.scheme}://{where.netloc}"


def _pair(claim: tuple[str, str]) -> tuple[str, str]:
    """The hosts: a server that invents accounts of somebody's domain does not make us ask there for each of them."""
    return urlsplit(claim[0]).netloc, claim[1].rpartition("@")[2]


def _authors(post: Post) -> list[Author]:
    return [post.author, *([post.quote.author] if post.quote and post.quote.author else [])]


def with_post(event: Published | Edited, post: Post) -> Published | Edited:
    """The same of another reading of the post; no copy where it is the same one."""
    return event if post is event.post else replace(event, post=post)


def _renamed(post: Post, names: dict[str, str]) -> Post:
    author, quote = _author(post.author, names), post.quote
    if quote and quote.author and (quoted := _author(quote.author, names)) is not quote.author:
        quote = replace(quote, author=quoted)
    if author is post.author and quote is post.quote:
        return post
    return replace(post, author=author, quote=quote)


def _author(author: Author, names: dict[str, str]) -> Author:
    handle = names.get(author.uri, author.handle)
    return replace(author, handle=handle, claim="") if author.claim or handle != author.handle else author
