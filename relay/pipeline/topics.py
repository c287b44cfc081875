"""What a topic means at the sources, and what they say on it now: the same for a command and for the command line."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import TypeVar

from relay.core.filters import Reading, objection
from relay.core.match import place
from relay.model import Card, Feed, FeedId, Post, Published
from relay.options import Filters
from relay.pipeline import thread_feeds
from relay.ports import Batch, Gone, Refused, Resolved, Source, TryLater
from relay.text import brief

T = TypeVar("T")

_SIGNS = ("#", "＃")

Answers = Mapping[str, Resolved | Refused | TryLater]
"""What each source answers, by its name."""


async def resolve(
    topic: str, networks: Iterable[str], sources: Mapping[str, Source], *, within: timedelta | None = None
) -> dict[str, Resolved | Refused | TryLater]:
    """Ask the named sources what a topic means there; who does not answer ``within`` this time is to be asked later."""
    asked = [sources[name] for name in networks if name in sources]
    answers = await asyncio.gather(*(_timely(thread_feeds.resolve(source, topic), within) for source in asked))
    return {source.name: answer for source, answer in zip(asked, answers, strict=True)}


def refusal(topic: str, answers: Answers) -> str:
    """Why nobody serves the topic, or an empty string where somebody does or may yet."""
    if any(not isinstance(answer, Refused) for answer in answers.values()):
        return ""
    reasons = "; ".join(f"{name}: {answer.reason}" for name, answer in answers.items() if isinstance(answer, Refused))
    return f"{topic!r} means nothing to {', '.join(answers) or 'any source'} ({reasons})"


def meanings(topic: str, answers: Answers) -> Mapping[str, Resolved]:
    """What each source takes a topic for, where several take it for something; empty where it is clear.

    A hashtag is the same everywhere.
    """
    found = {name: answer for name, answer in answers.items() if isinstance(answer, Resolved)}
    return {} if len(found) < 2 or topic.startswith(_SIGNS) else found


def mere_pages(topic: str, answers: Answers) -> Mapping[str, Refused]:
    """The sources that would read as a page with a feed what another one knows as an account, and why they need not."""
    several = meanings(topic, answers)
    accounts = {name: answer for name, answer in several.items() if answer.account}
    known = ", ".join(f"{answer.title} ({name})" for name, answer in accounts.items())
    return {name: Refused(f"it is read as {known}") for name in several if accounts and name not in accounts}


def likeliest(topic: str, answers: Answers) -> Answers:
    """The answers, but for those that mean a mere page where there is an account."""
    return {**answers, **mere_pages(topic, answers)}


async def readable(answers: Answers, sources: Mapping[str, Source], *, within: timedelta | None = None) -> Answers:
    """The answers, but ``TryLater`` where none of the feeds that they name can be read now.

    A hashtag is believed: it may well be one that nobody has used yet.
    """
    asked = {name: answer for name, answer in answers.items() if isinstance(answer, Resolved) and not answer.tag}
    reasons = await asyncio.gather(*(_unread(answer, sources[name], within) for name, answer in asked.items()))
    late = {name: TryLater(reason) for name, reason in zip(asked, reasons, strict=True) if reason}
    return {**answers, **late}


async def _unread(answer: Resolved, source: Source, within: timedelta | None) -> str:
    """Why none of the feeds can be read; empty where one can."""
    feeds = [Feed(id=FeedId(0), source=source.name, address=address) for address in answer.feeds]
    polled = await asyncio.gather(*(_timely(_now(source, feed), within) for feed in feeds))
    reasons = [one.reason for one in polled if not isinstance(one, Batch)]
    return "; ".join(dict.fromkeys(reasons)) if len(reasons) == len(feeds) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latest:
    """What the sources say on a topic now."""

    cards: tuple[Card, ...] = ()
    """Oldest first."""
    unread: Mapping[str, str] = field(default_factory=dict)
    """Why something could not be read, by the source and the feed's address."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Where no source knows the topic: each source's reason, by its name."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """How many posts each filter of the subscription kept back."""


async def latest(
    topic: str,
    networks: Iterable[str],
    sources: Mapping[str, Source],
    *,
    count: int,
    within: timedelta | None = None,
    wanted: Filters | None = None,
    now: datetime | None = None,
) -> Latest:
    """The last ``count`` posts on a topic, as they would be relayed; of those that are ``wanted``, where that is said.

    Nothing is kept, no cursor moves. How many of one author are wanted within an hour does not count here.
    """
    networks = tuple(networks)
    answers: Answers = await resolve(topic, networks, sources, within=within)
    if sources.keys() <= set(networks):
        answers = likeliest(topic, answers)
    if all(isinstance(answer, Refused) for answer in answers.values()):
        return Latest(refused={name: answer.reason for name, answer in answers.items() if isinstance(answer, Refused)})
    unread = {name: answer.reason for name, answer in answers.items() if isinstance(answer, TryLater)}
    feeds = [
        Feed(id=FeedId(0), source=name, address=address)
        for name, answer in answers.items()
        if isinstance(answer, Resolved)
        for address in answer.feeds
    ]
    polled = await asyncio.gather(*(_timely(_now(sources[feed.source], feed), within) for feed in feeds))
    for feed, answer in zip(feeds, polled, strict=True):
        if isinstance(answer, TryLater | Gone):
            unread[f"{feed.source} {feed.address}"] = answer.reason
    found = chain.from_iterable(answer.events for answer in polled if isinstance(answer, Batch))
    posts = {event.post.uri: event.post for event in found if isinstance(event, Published) and not event.post.unlisted}
    kept_back = {post.uri: _objection(wanted, post, now) for post in posts.values()}
    some = [post for post in posts.values() if kept_back[post.uri] is None]
    shown = sorted(some, key=lambda post: (post.published, post.uri))[-count:]
    left_out = Counter(why for why in kept_back.values() if why is not None)
    return Latest(cards=tuple(_card(post, topic) for post in shown), unread=unread, left_out=left_out)


def _objection(wanted: Filters | None, post: Post, now: datetime | None) -> str | None:
    return objection(wanted, Reading(post, now or post.published)) if wanted else None


def _card(post: Post, topic: str) -> Card:
    where = place(post)
    return Card(post=brief(post), reason=f"{topic} · {where}" if where and where not in topic else topic)


async def _now(source: Source, feed: Feed) -> Batch | TryLater | Gone:
    """What a feed shows at the moment, to somebody who has not read it before."""
    return await thread_feeds.poll(source, feed, datetime.now(UTC), ())


async def _timely(asked: Awaitable[T], within: timedelta | None) -> T | TryLater:
    if within is None:
        return await asked
    try:
        async with asyncio.timeout(within.total_seconds()):
            return await asked
    except TimeoutError:
        return TryLater(f"no answer within {within.total_seconds():g} s")
