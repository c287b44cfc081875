"""Fetches the conversation around one post."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from relay.model import Post
from relay.ports import Gone, Refused, TryLater
from relay.sources.bluesky import repository
from relay.sources.bluesky.address import Place, did_of, is_did, read_at, read_topic
from relay.sources.bluesky.answers import Denied, Missing, Odd, Told, Trouble, settled
from relay.sources.bluesky.conversation import Node, next_anchor
from relay.sources.bluesky.labels import Withheld
from relay.sources.bluesky.records import BRIDGE, read_view
from relay.sources.bluesky.shapes import PostView, Raw, Record, Reply, read
from relay.sources.bluesky.xrpc import Api

_CALLS = 50
"""The most requests for one thread; at 10 posts a request that is a thread of five hundred."""
_DEEPEST = 1_000


class _Thread(msgspec.Struct):
    thread: Raw


class _Node(msgspec.Struct):
    """A post with its surroundings; one that is not found or blocked has no ``post``."""

    post: Raw
    parent: Raw = Raw()
    replies: Raw = Raw()


@dataclass(slots=True)
class _Bag:
    """The posts found so far."""

    views: dict[str, Raw] = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)

    def add(self, tree: bytes | Raw) -> str:
        """Take in a tree of posts; answers the uri of the one at its root, "" where that is none."""
        first = ""
        waiting: list[tuple[Raw, bool]] = [(Raw(bytes(tree)), True)]
        while waiting and len(self.views) < _CALLS * _DEEPEST:
            raw, is_below = waiting.pop()
            node = read(raw, _Node)
            view = read(node.post, PostView) if node else None
            if node is None or view is None:
                continue
            first = first or view.uri
            answers = read(node.replies, list[Raw])
            told = len(answers or ()) if is_below else 1  # above, the way down to the post that was asked for
            self._keep(view, node.post, is_open=(view.replies or 0) > told and not (is_below and told))
            waiting.append((node.parent, False))
            waiting += [(answer, True) for answer in answers or ()]
        return first

    def _keep(self, view: PostView, raw: Raw, *, is_open: bool) -> None:
        known = self.nodes.get(view.uri)
        if known is None or (known.open and not is_open):
            self.nodes[view.uri] = Node(view.author.did, _parent(view), is_open)
            self.views.setdefault(view.uri, raw)

    def posts(self, start: str) -> list[Post]:
        """The one that was asked for first; what does not leave Bluesky is left out."""
        uris = [start, *(uri for uri in self.views if uri != start)]
        posts = (read_view(self.views[uri]) for uri in uris)
        return [post for post in posts if isinstance(post, Post)]


async def fetch_thread(api: Api, ref: str) -> Sequence[Post] | Refused | TryLater | Gone:
    """Ask the AppView; where it does not answer, the author's own server, which knows the author's posts."""
    where = await _locate(api, ref)
    if not isinstance(where, Place):
        return where
    bag = _Bag()
    start = await _look(api, bag, str(where))
    if isinstance(start, Denied | Odd | TryLater):
        return await repository.fetch_thread(api, where) or settled(start, "")
    if not isinstance(start, str):
        return settled(start, f"there is no such post any more: {ref}")
    first = read_view(bag.views[start])
    if isinstance(first, Withheld):
        return Gone(f"{ref} stays on Bluesky: {first.reason}")
    if first is None:
        return Refused(f"{ref} is no post that this relay can read")
    is_whole = await _fill(api, bag, start)
    posts = bag.posts(start)
    more = () if is_whole else await repository.fetch_thread(api, where)
    return [*posts, *(post for post in more if post.uri not in bag.views)]


async def _fill(api: Api, bag: _Bag, start: str) -> bool:
    """Ask until the thread grows no more; whether it was told to its end."""
    asked: set[str] = {start}
    while anchor := next_anchor(bag.nodes, start, asked):
        if len(asked) >= _CALLS or not isinstance(await _look(api, bag, anchor), str | Missing):
            return False
        asked.add(anchor)
    return True


async def _locate(api: Api, ref: str) -> Place | Refused | TryLater | Gone:
    """The post that an address leads to, by the DID of its author."""
    where = read_topic(ref.removeprefix(BRIDGE))
    if not isinstance(where, Place) or where.collection != "app.bsky.feed.post":
        return Refused(f"{ref} does not look like a post on Bluesky")
    if is_did(where.who):
        return where
    did = await api.get_did(where.who)
    if isinstance(did, Missing):
        return Refused(f"nobody on Bluesky is called {where.who}")
    return Place(did, where.rkey) if isinstance(did, str) else settled(did, "")


async def _look(api: Api, bag: _Bag, uri: str) -> str | Trouble:
    """Add what stands around one post; its uri as the AppView has it."""
    answer = await api.ask("app.bsky.feed.getPostThread", [("uri", uri), ("depth", "10"), ("parentHeight", "80")])
    if not isinstance(answer, Told):
        return answer
    tree = read(answer.body, _Thread)
    found = bag.add(tree.thread) if tree else None
    return Odd(answer.host) if found is None else found or Missing(answer.host)


def _parent(view: PostView) -> str:
    said = read(view.record, Record)
    reply = read(said.reply, Reply) if said else None
    return reply.parent.uri if reply and read_at(reply.parent.uri) and did_of(view.uri) else ""
