"""Asking the AppView: one request a call, its answer as a value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from relay.http import Http
from relay.sources.bluesky.answers import Failure, judge
from relay.sources.bluesky.session import Session
from relay.sources.bluesky.shapes import Raw, read
from relay.sources.kit import Denied, Missing, Ok, Unexpected
from relay.sources.limits import RECORD
from relay.sources.off_loop import off_loop

T = TypeVar("T")
Params = Sequence[tuple[str, str]]

MANY = 25
"""How many posts or people can be asked for at a time."""


def portions(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Of many as many as can be asked for at a time."""
    return (items[start : start + MANY] for start in range(0, len(items), MANY))


class _Posts(msgspec.Struct):
    posts: list[Raw]


class _Profiles(msgspec.Struct):
    profiles: list[Raw]


class _Named(msgspec.Struct):
    did: str


class Version(msgspec.Struct):
    """A view of a post, as far as it says which."""

    uri: str
    cid: str = ""


@dataclass(frozen=True, slots=True)
class XrpcApi:
    """The requests of this source. Visitors are shown almost all; the account, where there is one, opens the rest."""

    http: Http
    url: str
    session: Session | None = None
    directory: str = "https://plc.directory"
    """Where it is said on which server an account lives."""

    async def get(self, base: str, method: str, params: Params = ()) -> Ok | Failure:
        """Ask any server, as a visitor."""
        return await self.fetch(f"{base}/xrpc/{method}", params)

    async def fetch(self, url: str, params: Params = ()) -> Ok | Failure:
        reply = await self.http.get(url, params=params or None, headers={"accept": "application/json"})
        return judge(reply, datetime.now(UTC))

    async def ask(self, method: str, params: Params = ()) -> Ok | Failure:
        """Ask the AppView: as a visitor, and by way of the account's server where visitors are turned away."""
        answer = await self.get(self.url, method, params)
        if isinstance(answer, Denied) and self.session:
            return await self.session.ask(method, params)
        return answer

    async def get_posts(self, uris: Sequence[str]) -> dict[str, Raw] | Failure:
        """Views of up to 25 posts, by uri; those that do not exist are missing."""
        answer = await self.ask("app.bsky.feed.getPosts", [("uris", uri) for uri in uris[:MANY]])
        if not isinstance(answer, Ok):
            return answer
        found = await off_loop(len(answer.body), lambda: _named(answer.body))
        return Unexpected(answer.host) if found is None else found

    async def get_profiles(self, dids: Sequence[str]) -> dict[str, Raw] | Failure:
        """Profiles of up to 25 people, by DID; those that do not exist are missing."""
        answer = await self.ask("app.bsky.actor.getProfiles", [("actors", did) for did in dids[:MANY]])
        if not isinstance(answer, Ok):
            return answer
        found = await off_loop(len(answer.body), lambda: _people(answer.body))
        return Unexpected(answer.host) if found is None else found

    async def get_did(self, handle: str) -> str | Failure:
        """Whose handle it is."""
        answer = await self.ask("com.atproto.identity.resolveHandle", [("handle", handle)])
        if not isinstance(answer, Ok):
            return answer
        named = read(answer.body, _Named)
        return named.did if named else Missing(answer.host)


def _named(body: bytes) -> dict[str, Raw] | None:
    """The views of posts in an answer, by uri."""
    found = read(body, _Posts)
    return None if found is None else {named.uri: raw for raw in _few(found.posts) if (named := read(raw, Version))}


def _people(body: bytes) -> dict[str, Raw] | None:
    """The profiles in an answer, by DID."""
    found = read(body, _Profiles)
    return None if found is None else {named.did: raw for raw in _few(found.profiles) if (named := read(raw, _Named))}


def _few(raws: Sequence[Raw]) -> Sequence[Raw]:
    """As many as were asked for at most, without what is too large to be one."""
    return [raw for raw in raws[:MANY] if len(raw) <= RECORD]
