"""Fetches the conversation around one post.

The AppView tells it in pieces. Where there is a thread, the author's own server (PDS) is asked for its part of the
conversation besides: that list has no depth, and it goes on behind a post that was deleted, where no AppView can follow
(bluesky-social/atproto#1103). What it names is looked up at the AppView, which alone knows what moderators hide.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from relay.model import Post
from relay.ports import Gone, Refused, TryLater
from relay.sources.bluesky import repository
from relay.sources.bluesky.address import RecordAddress, did_of, is_did, read_at, read_topic
from relay.sources.bluesky.answers import Failure, settled
from relay.sources.bluesky.labels import Withheld
from relay.sources.bluesky.records import BRIDGE, read_view
from relay.sources.bluesky.repository import root_of
from relay.sources.bluesky.shapes import PostView, Raw, Record, ReplyRef, read
from relay.sources.bluesky.xrpc import XrpcApi, portions
from relay.sources.kit import Denied, Missing, Ok, Unexpected, chains, top_of
from relay.sources.limits import RECORD, THREAD, THREAD_BYTES
from relay.sources.off_loop import off_loop

# --- which part of a conversation to ask for next ---

# An AppView tells 80 ancestors and 10 generations of answers, whatever is asked for (bluesky-social/atproto#3147). So
# the author's own chain is asked for again from both of its ends until they do not move any more.


@dataclass(frozen=True, slots=True)
class Node:
    """What a post's place in the conversation is; ``open``: there are answers that were not told with it."""

    author: str
    parent: str
    open: bool


Bag = Mapping[str, Node]
"""Posts by uri."""


def next_anchor(bag: Bag, start: str, asked: Collection[str]) -> str | None:
    """The post whose surroundings are to be asked for next, None when the chain of ``start`` is whole."""
    top = top_of(bag, start)
    ends = [top] if bag[top].parent and bag[top].parent not in bag else []
    ends += sorted(uri for uri in chains(bag, top) if bag[uri].open)  # the oldest first: around it stands most
    return next((end for end in ends if end not in asked), None)


def is_alone(bag: Bag, start: str) -> bool:
    """Whether it is no part of a thread for all that is known: no post of the author's above it, and none below."""
    node = bag[start]
    goes_on = node.parent.startswith(f"at://{node.author}/")
    return not (goes_on or node.open or any(uri != start for uri in chains(bag, start)))


# --- thread ---

_CALLS = 50
"""The most times that the surroundings of a post are asked for; at 10 posts each that is a thread of five hundred."""
_DEEPEST = 1_000
_HIGHEST = 80


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

    @property
    def size(self) -> int:
        """Bytes of what was found."""
        return sum(map(len, self.views.values()))

    @property
    def is_full(self) -> bool:
        return len(self.views) >= THREAD or self.size >= THREAD_BYTES

    def read(self, body: bytes) -> str | None:
        """Take in an answer of the AppView; None where it is none."""
        tree = read(body, _Thread)
        return self.add(tree.thread) if tree else None

    def add(self, tree: bytes | Raw) -> str:
        """Take in a tree of posts; answers the uri of the one at its root, "" where that is none."""
        first = ""
        waiting: list[tuple[Raw, bool]] = [(Raw(bytes(tree)), True)]
        while waiting and len(self.views) < _CALLS * _DEEPEST:
            raw, is_below = waiting.pop()
            node = read(raw, _Node)
            view = read(node.post, PostView) if node and len(node.post) <= RECORD else None
            if node is None or view is None:
                continue
            first = first or view.uri
            answers = read(node.replies, list[Raw])
            told = len(answers or ()) if is_below else 1  # above, the way down to the post that was asked for
            self._keep(view, node.post, is_open=(view.replies or 0) > told and not (is_below and told))
            waiting.append((node.parent, False))
            waiting += [(answer, True) for answer in answers or ()]
        return first

    def add_listed(self, views: Sequence[Raw]) -> None:
        """Take in posts of the author, of whom now all are known: only the last of a chain may go on out of sight."""
        for raw in views:
            if view := read(raw, PostView):
                self._keep(view, raw, is_open=bool(view.replies))
        for node in list(self.nodes.values()):
            above = self.nodes.get(node.parent)
            if above and above.author == node.author:
                self.nodes[node.parent] = replace(above, open=False)

    def _keep(self, view: PostView, raw: Raw, *, is_open: bool) -> None:
        known = self.nodes.get(view.uri)
        if known is None or (known.open and not is_open):
            self.nodes[view.uri] = Node(view.author.did, _parent(view), is_open)
            self.views.setdefault(view.uri, raw)

    def root(self, uri: str) -> str:
        """With what the conversation began in which one of the posts stands."""
        view = read(self.views[uri], PostView)
        return root_of(uri, view.record) if view else uri

    def posts(self, start: str) -> list[Post]:
        """The one that was asked for first; what does not leave Bluesky is left out."""
        uris = [start, *(uri for uri in self.views if uri != start)]
        posts = (read_view(self.views[uri]) for uri in uris)
        return [post for post in posts if isinstance(post, Post)]


async def fetch_thread(api: XrpcApi, ref: str) -> Sequence[Post] | Refused | TryLater | Gone:
    """Ask the AppView and the author's own server; where one of them does not answer, the other one must do."""
    where = await _locate(api, ref)
    if not isinstance(where, RecordAddress):
        return where
    bag = _Bag()
    start = await _look(api, bag, str(where))
    if isinstance(start, Denied | Unexpected | TryLater):
        return await repository.fetch_thread(api, where) or settled(start, "")
    if not isinstance(start, str):
        return settled(start, f"there is no such post any more: {ref}")
    first = await off_loop(len(bag.views[start]), lambda: read_view(bag.views[start]))
    if isinstance(first, Withheld):
        return Gone(f"{ref} stays on Bluesky: {first.reason}")
    if first is None:
        return Refused(f"{ref} is no post that this relay can read")
    more = () if is_alone(bag.nodes, start) else await _gather(api, bag, start)
    return [*await off_loop(bag.size, lambda: bag.posts(start)), *more]


async def _gather(api: XrpcApi, bag: _Bag, start: str) -> Sequence[Post]:
    """Fill the bag. Answers those of the author's posts of which the AppView told nothing because it fell silent."""
    where, top = read_at(start), read_at(top_of(bag.nodes, start))
    part = await repository.read_part(api, where, top, bag.root(start)) if where and top else None
    untold = await _look_up(api, bag, part.records) if part else ()
    if part and untold:
        return await repository.read_posts(api, part, untold)
    await _fill(api, bag, start)
    return ()


async def _look_up(api: XrpcApi, bag: _Bag, uris: Iterable[str]) -> Sequence[str]:
    """Add the posts that are not there yet, as far as they are to be seen; those of which nobody could say."""
    views: list[Raw] = []
    untold: list[str] = []
    for some in portions([uri for uri in uris if uri not in bag.views]):
        if sum(map(len, views)) >= THREAD_BYTES:
            break
        answer = TryLater("") if untold else await api.get_posts(some)
        if isinstance(answer, dict):
            views += answer.values()
        else:
            untold += some
    await off_loop(bag.size, lambda: bag.add_listed(views))
    return untold


async def _fill(api: XrpcApi, bag: _Bag, start: str) -> None:
    """Ask for what stands around the ends of the author's chains until they do not move any more."""
    asked: set[str] = {start}
    while (anchor := next_anchor(bag.nodes, start, asked)) and len(asked) < _CALLS and not bag.is_full:
        if not isinstance(await _look(api, bag, anchor), str | Missing):
            return
        asked.add(anchor)


async def _locate(api: XrpcApi, ref: str) -> RecordAddress | Refused | TryLater | Gone:
    """The post that an address leads to, by the DID of its author."""
    where = read_topic(ref.removeprefix(BRIDGE))
    if not isinstance(where, RecordAddress) or where.collection != "app.bsky.feed.post":
        return Refused(f"{ref} does not look like a post on Bluesky")
    if is_did(where.who):
        return where
    did = await api.get_did(where.who)
    if isinstance(did, Missing):
        return Refused(f"nobody on Bluesky is called {where.who}")
    return RecordAddress(did, where.rkey) if isinstance(did, str) else settled(did, "")


async def _look(api: XrpcApi, bag: _Bag, uri: str) -> str | Failure:
    """Add what stands around one post; its uri as the AppView has it. What is above it is told once, not each time."""
    known = bag.nodes.get(uri)
    height = 0 if known and known.parent in bag.nodes else _HIGHEST
    params = [("uri", uri), ("depth", "10"), ("parentHeight", str(height))]
    answer = await api.ask("app.bsky.feed.getPostThread", params)
    if not isinstance(answer, Ok):
        return answer
    found = await off_loop(len(answer.body), lambda: bag.read(answer.body))
    return Unexpected(answer.host) if found is None else found or Missing(answer.host)


def _parent(view: PostView) -> str:
    said = read(view.record, Record)
    reply = read(said.reply, ReplyRef) if said else None
    return reply.parent.uri if reply and read_at(reply.parent.uri) and did_of(view.uri) else ""
