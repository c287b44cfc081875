"""Asking a server: one request a call, its answer as a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from relay.http import Http
from relay.model import Post
from relay.sources.mastodon.address import host_of
from relay.sources.mastodon.answers import Odd, Told, Trouble, judge
from relay.sources.mastodon.shapes import Raw, identified, read

Params = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of statuses by their ids, in the order in which they came."""

    items: Mapping[str, Raw]
    wait: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Api:
    """The requests of this source, made by the guarded client; ``instances`` are the servers that the settings name."""

    http: Http
    instances: tuple[str, ...]

    async def get(self, url: str, params: Params = ()) -> Told | Trouble:
        reply = await self.http.get(url, params=params or None, headers={"accept": "application/json"})
        return judge(reply, datetime.now(UTC))

    def believes(self, post: Post) -> bool:
        """A server can tell anything of posts that are not its own: then it must be one that the settings name."""
        if post.origin in self.instances:
            return True
        return {host_of(post.uri), host_of(post.author.uri)} == {host_of(post.origin)}

    async def get_list(self, url: str, params: Params = ()) -> Listed | Trouble:
        """A list of statuses. One with no status at all in it is :class:`Odd`, an empty one is not."""
        answer = await self.get(url, params)
        if not isinstance(answer, Told):
            return answer
        items = identified(answer.body)
        if not items and read(answer.body, list[Raw]) != []:
            return Odd(host_of(answer.url), "something that is no list of posts")
        return Listed(items, answer.wait)
