"""What one server tells of another server's people is asked of their own server before it counts.

:mod:`relay.core.authenticity` decides what has to be asked. Here is who is asked, how often, and what an answer means.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from functools import partial
from urllib.parse import unquote

from relay.core.authenticity import Verdict, Vouching, counts_unasked, is_home, of_post, standing
from relay.log import get_logger
from relay.model import Deleted, Edited, Event, Post, PostUri
from relay.ports import Gone, TryLater
from relay.sources.kit import Failure, Missing, Ok
from relay.sources.mastodon.about import About
from relay.sources.mastodon.address import StatusAddress, host_of, read_link
from relay.sources.mastodon.api import Listed
from relay.sources.mastodon.copies import Copies, joined
from relay.sources.mastodon.handles import Handles, with_post
from relay.sources.mastodon.kinds import Speech
from relay.sources.mastodon.misskey import api as misskey
from relay.sources.mastodon.misskey.notes import read_note
from relay.sources.mastodon.parse import alias, read_post
from relay.sources.mastodon.shapes import Raw
from relay.sources.off_loop import off_loop

log = get_logger(__name__)

_MOST = 40
"""Posts that one server is asked for at a time: those of a page."""
_AT_ONCE = 20
"""Posts that a server tells in one answer."""
_PATIENCE = timedelta(seconds=5)
"""How long all servers together may take: whatever else was told waits meanwhile."""
_SILENT = timedelta(minutes=5)
"""How long a server that did not answer is not asked again."""
_REMEMBERED = 2_000


class HomeUnknown(Enum):
    """Why nobody knows what the author's own server says of a post."""

    SILENT = "it does not answer, or not in a way that is understood"
    LATER = "we may not ask it now"


Fate = Post | Missing | HomeUnknown
"""A post as its author's own server shows it, or that it shows no such post."""
Happened = tuple[str, Event]
"""The address of a feed, or an empty one, and what happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """The events that count; not whole where some were left out because an author's own server could not be asked."""

    events: tuple[Happened, ...]
    is_whole: bool


@dataclass(slots=True)
class Homes:
    """The authors' own servers. ``copies`` has what they told lately."""

    about: About
    copies: Copies = field(default_factory=Copies)
    patience: timedelta = _PATIENCE
    handles: Handles = field(init=False)
    _silent: dict[str, datetime] = field(default_factory=dict)
    """Until when servers that did not answer are left alone."""

    def __post_init__(self) -> None:
        self.handles = Handles(self.about, self.patience)

    async def confirm(self, events: Sequence[Happened]) -> Confirmed:
        """The events that count, in their order, each post in the best copy that is known.

        Where the author's own server cannot be asked, an edit counts as a configured server tells it. A post of
        another configured server's people does not: their own server's feed brings it.
        """
        asked = await self.ask([one.post for _, one in events if not isinstance(one, Deleted) and self._asks(one.post)])
        judged = [(feed, self._judged(one, asked)) for feed, one in events]
        counting = [(feed, event) for feed, event in judged if event is not None]
        named = await self.handles.named([event for _, event in counting])
        return Confirmed(
            events=tuple((feed, event) for (feed, _), event in zip(counting, named, strict=True)),
            is_whole=all(
                event is not None or not isinstance(asked.get(_uri(one)), HomeUnknown)
                for (_, event), (_, one) in zip(judged, events, strict=True)
            ),
        )

    async def ask(self, posts: Iterable[Post]) -> dict[PostUri, Fate]:
        """What became of posts at their authors' own servers, by uri; within a limited time."""
        found: dict[PostUri, Fate] = {}
        by_server: defaultdict[str, dict[str, Post]] = defaultdict(dict)
        for post in posts:
            where = _where(post, self.about.api.instances)
            found[post.uri] = HomeUnknown.LATER if where else HomeUnknown.SILENT
            if where and len(by_server[where.base]) < _MOST:
                by_server[where.base][where.id] = post
        asking = [asyncio.create_task(self._ask(base, some, found)) for base, some in by_server.items()]
        try:
            if asking:
                await asyncio.wait(asking, timeout=self.patience.total_seconds())
        finally:
            for task in asking:
                task.cancel()
            ended = await asyncio.gather(*asking, return_exceptions=True)
        for base, end in zip(by_server, ended, strict=True):
            if isinstance(end, asyncio.CancelledError):
                self._fell_silent(base, by_server[base], found)
            elif isinstance(end, Exception):
                raise end
        return found

    # --- deciding ---

    def _asks(self, post: Post) -> bool:
        """A server that nobody named cannot make us ask others: what it tells of their people is left out."""
        instances = self.about.api.instances
        if standing(post.origin, post.author.uri, instances) is Vouching.STRANGER:
            return False
        return of_post(post, instances) is Verdict.ASK_HOME and self._known(post) is None

    def _judged(self, event: Event, asked: Mapping[PostUri, Fate]) -> Event | None:
        if isinstance(event, Deleted):
            return event
        api, post = self.about.api, event.post
        if of_post(post, api.instances) is not Verdict.ASK_HOME:
            return with_post(event, self._best(post)) if api.counts(post) else None
        match self._known(post) or asked.get(post.uri):
            case Post() as own:
                return with_post(event, self._best(joined(post, own)))
            case Missing():
                return Deleted(post.uri) if isinstance(event, Edited) else None
            case HomeUnknown.SILENT if counts_unasked(post, api.instances):
                return with_post(event, self._best(post))
            case HomeUnknown():
                log.info("a post is left out: its author's own server could not be asked", uri=post.uri, by=post.origin)
        return None

    def _known(self, post: Post) -> Post | None:
        """What the author's own server told lately, unless the post is said to have been edited since."""
        known = self.copies.from_home(post.uri)
        is_older = known and post.edited and (known.edited is None or known.edited < post.edited)
        return None if is_older else known

    def _best(self, post: Post) -> Post:
        return self.copies.best(post, self.about.api.clock())

    # --- asking ---

    async def _ask(self, base: str, posts: Mapping[str, Post], found: dict[PostUri, Fate]) -> None:
        """Fill in what one server says: all at once where it knows such a question, else one after the other."""
        if self._silent.get(base, self.about.api.clock()) > self.about.api.clock():
            found.update((post.uri, HomeUnknown.SILENT) for post in posts.values())
            return
        kind = await self.about.kind(base)
        if kind.many and kind.speech is Speech.MASTODON and len(posts) > 1:
            found |= await self._all(base, kind.many, posts)
        for identifier, post in posts.items():
            if found[post.uri] is not HomeUnknown.LATER:
                continue
            answer = await self._one(base, identifier, kind.speech)
            if isinstance(answer, TryLater | Gone):
                if not (isinstance(answer, TryLater) and answer.paced):
                    self._fell_silent(base, posts, found)
                return
            size = len(answer.body) if isinstance(answer, Ok) else 0
            fate = await off_loop(size, partial(self._fate, base, post, answer, kind.speech))
            found[post.uri] = fate if isinstance(fate, Post) or _is_named(post) else HomeUnknown.SILENT

    async def _all(self, base: str, parameter: str, posts: Mapping[str, Post]) -> dict[PostUri, Fate]:
        """What is not told here may still be there: servers leave out what they do not show in lists."""
        names, found = {post.uri for post in posts.values()}, dict[PostUri, Fate]()
        for first in range(0, len(posts), _AT_ONCE):
            params = [(parameter, unquote(identifier)) for identifier in [*posts][first : first + _AT_ONCE]]
            listed = await self.about.api.get_list(f"{base}/api/v1/statuses", params)
            if not isinstance(listed, Listed):
                break
            items = listed.items.values()
            told = await off_loop(sum(map(len, items)), partial(self._read_all, base, items))
            found |= {post.uri: post for post in told if post and post.uri in names}
        return found

    async def _one(self, base: str, identifier: str, speech: Speech) -> Ok | Failure:
        if speech is Speech.MISSKEY:
            return await misskey.show(self.about.api, base, unquote(identifier))
        return await self.about.api.get(alias(base, unquote(identifier)))

    def _fate(self, base: str, post: Post, answer: Ok | Failure, speech: Speech) -> Fate:
        gone = Missing(host_of(base), 404, sure=True)
        if isinstance(answer, Ok):  # another post, or one that is no longer for everybody, is not this one
            own = read_note(answer.body, base) if speech is Speech.MISSKEY else self._read(base, answer.body)
            return own if own and own.uri == post.uri and self.about.api.counts(own) else gone
        is_gone = misskey.is_gone(answer) if speech is Speech.MISSKEY else isinstance(answer, Missing) and answer.sure
        return gone if is_gone else HomeUnknown.SILENT

    def _read_all(self, base: str, raws: Iterable[Raw]) -> list[Post | None]:
        return [self._read(base, raw) for raw in raws]

    def _read(self, base: str, raw: bytes | Raw) -> Post | None:
        post = read_post(raw, base, self.about.api.instances)
        return post if post and self.about.api.counts(post) else None

    def _fell_silent(self, base: str, posts: Mapping[str, Post], found: dict[PostUri, Fate]) -> None:
        if len(self._silent) >= _REMEMBERED:
            self._silent.clear()
        self._silent[base] = self.about.api.clock() + _SILENT
        found.update((p.uri, HomeUnknown.SILENT) for p in posts.values() if found[p.uri] is HomeUnknown.LATER)


def _uri(event: Event) -> PostUri:
    return PostUri(event.ref) if isinstance(event, Deleted) else event.post.uri


def _is_named(post: Post) -> bool:
    """Whether the uri itself says where to ask. Any other address is the word of whoever told the post: that there is
    nothing says nothing of the post.
    """
    return isinstance(read_link(post.uri, ()), StatusAddress)


def _where(post: Post, instances: Sequence[str]) -> StatusAddress | None:
    """Where the author's own server shows the post."""
    places = (read_link(name, instances) for name in (post.uri, post.url))
    return next((one for one in places if isinstance(one, StatusAddress) and is_home(one.base, post.author.uri)), None)
