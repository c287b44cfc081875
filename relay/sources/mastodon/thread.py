"""Fetches the conversation around one post."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from relay.model import Post
from relay.ports import Gone, Refused, TryLater
from relay.sources.mastodon import address
from relay.sources.mastodon.about import About
from relay.sources.mastodon.answers import Closed, Missing, Odd, Told, Trouble
from relay.sources.mastodon.api import Api
from relay.sources.mastodon.conversation import next_anchor
from relay.sources.mastodon.kinds import Speech
from relay.sources.mastodon.misskey import asking as misskey
from relay.sources.mastodon.parse import alias, read_post
from relay.sources.mastodon.shapes import Context, Raw, Status, identified, read

_CALLS = 50
"""The most requests for one thread; at 20 posts a request that is a thread of a thousand."""


@dataclass(slots=True)
class _Bag:
    """The statuses found so far at one server."""

    base: str
    start: str
    raws: dict[str, Raw] = field(default_factory=dict)
    statuses: dict[str, Status] = field(default_factory=dict)

    def add(self, raw: bytes | Raw) -> None:
        for identifier, item in identified(raw).items():
            status = read(item, Status)
            if status and identifier not in self.raws:
                self.raws[identifier], self.statuses[identifier] = item, status

    @property
    def first(self) -> Post | None:
        return read_post(self.raws[self.start], self.base)

    def posts(self) -> list[Post]:
        """The one that was asked for first; what is not for everybody is left out."""
        posts = (read_post(raw, self.base) for raw in self.raws.values())
        return [post for post in posts if post]


async def fetch_thread(about: About, ref: str) -> Sequence[Post] | Refused | TryLater | Gone:
    """Ask the author's own server where the post's name leads there: only that one knows all self-replies for sure."""
    api = about.api
    where = address.read_link(ref, api.instances)
    if not isinstance(where, address.Status):
        return Refused(f"{ref} does not look like a post on a Mastodon server")
    if where.of_notes and (await about.kind(where.base)).speech is Speech.MISSKEY:
        return await misskey.fetch_thread(api, where)
    found = await _find(api, where)
    bag = await _at_home(api, found) if isinstance(found, _Bag) else found
    if not isinstance(bag, _Bag):
        return bag
    first = bag.first
    if first is None:
        return Gone(f"{ref} is not for everybody to read")
    if not api.believes(first):
        return Refused(f"{ref} is a copy; {address.host_of(first.uri)}, where it comes from, does not show it")
    return await _fill(api, bag) or [post for post in bag.posts() if api.believes(post)]


async def _at_home(api: Api, found: _Bag) -> _Bag:
    """The same post at the server that its name leads to; as it was found where that one does not show it."""
    uri = found.statuses[found.start].uri or ""
    home = address.read_link(uri, api.instances)
    if not isinstance(home, address.Status) or home.base == found.base:
        return found
    there = await _find(api, home)
    return there if isinstance(there, _Bag) and there.statuses[there.start].uri == uri else found


async def _find(api: Api, where: address.Status) -> _Bag | Refused | TryLater | Gone:
    answer = await api.get(alias(where.base, where.id))
    if not isinstance(answer, Told):
        return _reason(answer)
    status = read(answer.body, Status)
    boosted = read(status.reblog, Status) if status else None
    asked, raw = (boosted, bytes(status.reblog)) if status and boosted else (status, answer.body)
    bag = _Bag(address.instance_of(answer.url), str(asked.id if asked else ""))
    bag.add(b"[" + raw + b"]")
    if bag.start not in bag.raws:
        return Refused(f"{address.host_of(answer.url)} does not speak the language of Mastodon servers")
    return bag


async def _fill(api: Api, bag: _Bag) -> Refused | TryLater | Gone | None:
    """Ask until the thread grows no more. Trouble on the way leaves what was found; at the start it is the answer."""
    asked: set[str] = set()
    anchor: str | None = bag.start
    while anchor and len(asked) < _CALLS:
        answer = await api.get(f"{alias(bag.base, anchor)}/context")
        context = read(answer.body, Context) if isinstance(answer, Told) else None
        if not isinstance(answer, Told):
            return None if asked else _reason(answer)
        if context:
            bag.add(context.ancestors)
            bag.add(context.descendants)
        asked.add(anchor)
        anchor = next_anchor(bag.statuses, bag.start, asked)
    return None


def _reason(trouble: Trouble) -> Refused | TryLater | Gone:
    match trouble:
        case Missing(host, sure=True):
            return Gone(f"{host} has no such post: it was deleted, or is not for everybody to read")
        case Missing(host) | Odd(host):
            return Refused(f"{host} does not speak the language of Mastodon servers")
        case Closed():
            return trouble.later()
        case _:
            return trouble
