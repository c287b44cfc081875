"""Whom a post answers, where its server does not say: what it answers is looked up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from urllib.parse import unquote

from relay.model import Post
from relay.ports import TryLater
from relay.rich import Role
from relay.sources.kit import Ok
from relay.sources.mastodon.api import MastodonApi
from relay.sources.mastodon.misskey import api as misskey
from relay.sources.mastodon.misskey.notes import read_note
from relay.sources.mastodon.parse import local_id
from relay.sources.mastodon.reading import TimelineReading
from relay.sources.off_loop import off_loop

_MOST = 20
"""Posts that are asked for after one poll."""


async def with_answered(
    api: MastodonApi, base: str, posts: Sequence[Post], reading: TimelineReading
) -> list[Post] | TryLater:
    """The posts, each that answers another one with the author of that.

    Where nobody knows that one, a post that mentions nobody goes on with what its own author wrote; not so on Misskey,
    where an answer need not mention whom it answers.
    """
    lookup = _Lookup(api, base, reading)
    found: list[Post] = []
    for post in posts:
        whom = await lookup.whom(post)
        if isinstance(whom, TryLater):
            return whom
        found.append(post if whom == post.reply_to_author else replace(post, reply_to_author=whom))
    return found


class _Lookup:
    """What stands on one page, and what was asked for besides."""

    def __init__(self, api: MastodonApi, base: str, reading: TimelineReading) -> None:
        self._api, self._base, self._reading = api, base, reading
        self._known: dict[str, Post | None] = {}

    async def whom(self, post: Post) -> str | TryLater:
        """As Mastodon tells it: of a chain under somebody else's post that somebody all the way down."""
        here, passed = post, set[str]()
        while here.reply_to and not here.reply_to_author and here.reply_to not in passed:
            passed.add(here.reply_to)
            above = await self._find(here.reply_to)
            if isinstance(above, TryLater):
                return above
            if above is None:
                return post.author.uri if self._reading.read is not read_note and not _mentions(post) else ""
            if above.author.uri != post.author.uri:
                return above.author.uri
            here = above
        return here.reply_to_author or (post.author.uri if post.reply_to else "")

    async def _find(self, name: str) -> Post | TryLater | None:
        if name not in self._known:
            raw = self._reading.page.items.get(unquote(local_id(name, self._base)))
            if raw is None and len(self._known) >= _MOST:
                return None
            read = self._reading.read(raw, self._base) if raw is not None else await self._ask(name)
            if isinstance(read, TryLater):
                return read
            self._known[name] = read
        return self._known[name]

    async def _ask(self, name: str) -> Post | TryLater | None:
        """Only our own pace is waited for: a server that fails here would keep the whole feed back."""
        if self._reading.read is read_note:
            answer = await misskey.show(self._api, self._base, unquote(local_id(name, self._base)))
        else:
            answer = await self._api.get(name)
        if isinstance(answer, TryLater) and answer.paced:
            return answer
        if not isinstance(answer, Ok):
            return None
        return await off_loop(len(answer.body), partial(self._reading.read, answer.body, self._base))


def _mentions(post: Post) -> bool:
    return any(span.role is Role.MENTION for block in post.body for span in block.spans)
