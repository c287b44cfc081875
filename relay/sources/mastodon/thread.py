"""Fetches the conversation around one post, at its author's own server where that one answers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from relay.core.authenticity import counts_unasked, is_home
from relay.model import Post
from relay.ports import Gone, Refused, TryLater
from relay.sources.kit import Denied, Failure, Missing, Ok, Unexpected, chains, top_of
from relay.sources.limits import THREAD, THREAD_BYTES
from relay.sources.mastodon import address
from relay.sources.mastodon.about import About
from relay.sources.mastodon.api import Listed, MastodonApi
from relay.sources.mastodon.kinds import Speech
from relay.sources.mastodon.misskey import api as misskey
from relay.sources.mastodon.parse import alias, read_post
from relay.sources.mastodon.shapes import Context, Raw, Status, identified, read
from relay.sources.mastodon.timeline_cursor import PAGE, WHOLE, age, ordered
from relay.sources.off_loop import off_loop

# --- which part of a conversation to ask for next ---

# To visitors a server tells 40 ancestors and 60 descendants, 20 deep, and does not say when there are more
# (docs.joinmastodon.org/methods/statuses#context). So the author's own chain is asked for again from both of its ends
# until they do not move any more. Below a long chain it is cheaper to read on in what the author wrote after it, 40
# at a time, and where many others answered there is no other way: they fill what is told of an end, and hide how it
# goes on. A post that nobody answered, as its server counts, needs no asking.

Bag = Mapping[str, Status]
"""Statuses of one server by their ids there."""

FULL = 60
"""So many descendants told: there may be more."""
DEEP = 20
"""So many generations told: there may be more."""
WORTH = 10
"""So many posts of the thread on a page of the author's posts make the next page worth asking for."""


@dataclass(frozen=True, slots=True)
class Around:
    """Ask what stands around a post."""

    id: str


@dataclass(frozen=True, slots=True)
class After:
    """Ask what the author wrote after a post."""

    id: str


@dataclass(slots=True)
class ContextProgress:
    """What was asked for so far, and what is known of the answers."""

    around: set[str] = field(default_factory=set)
    after: set[str] = field(default_factory=set)
    cut: set[str] = field(default_factory=set)
    """Around these posts more stands than was told."""
    fruitful: bool = True
    """No page of the author's posts was a waste yet."""
    end: str = ""
    """All that the author wrote after this post is known; empty: of no post."""


def next_question(bag: Bag, start: str, asked: ContextProgress) -> Around | After | None:
    """What to ask for next; None when the chain of ``start`` is whole."""
    if start not in asked.around:
        return Around(start)
    top = top_of(bag, start)
    parent = bag[top].parent
    if parent and parent not in bag and top not in asked.around:
        return Around(top)
    return next((question for tip in _tips(bag, top) if (question := _onward(tip, asked))), None)


def _onward(tip: str, asked: ContextProgress) -> Around | After | None:
    if asked.end and age(tip) >= age(asked.end):
        return None
    if tip not in asked.after and (tip in asked.cut or (asked.cut and asked.fruitful)):
        return After(tip)
    return Around(tip) if tip not in asked.around else None


def is_cut(bag: Bag, anchor: str, descendants: Collection[str]) -> bool:
    """Whether what was told below a post is as much as a server tells at most."""
    deepest = max((_depth(bag, anchor, identifier) for identifier in descendants), default=0)
    return len(descendants) >= FULL or deepest >= DEEP


def length(bag: Bag, start: str) -> int:
    """How many posts of the author's chains around ``start`` are known."""
    return len(chains(bag, top_of(bag, start)))


def goes_on(bag: Bag, later: Status) -> bool:
    """Whether a later post of the author's belongs to the conversation.

    It may be one that lost what it answered: a server forgets that with the post (mastodon's schema, ``on_delete``).
    """
    answered = str(later.in_reply_to_account_id or "")
    return later.parent in bag if later.parent else answered != "" and answered == later.author


def _depth(bag: Bag, anchor: str, identifier: str) -> int:
    depth = 0
    while identifier in bag and identifier != anchor and depth < DEEP:
        identifier = bag[identifier].parent
        depth += 1
    return depth


def _tips(bag: Bag, top: str) -> list[str]:
    """The last posts of all chains of self-replies that begin at ``top``, the newest first."""
    tips = (i for i, is_last in chains(bag, top).items() if is_last and bag[i].replies_count != 0)
    return sorted(tips, key=age, reverse=True)


# --- thread ---

_CALLS = 50
"""The most requests for one thread; at 20 posts or more a request that is a thread of a thousand."""


@dataclass(slots=True)
class _Bag:
    """The statuses found so far at one server."""

    base: str
    start: str
    configured: tuple[str, ...]
    raws: dict[str, Raw] = field(default_factory=dict)
    statuses: dict[str, Status] = field(default_factory=dict)
    size: int = 0
    """Bytes of what was found."""

    @property
    def is_full(self) -> bool:
        return len(self.raws) >= THREAD or self.size >= THREAD_BYTES

    def add(self, raw: bytes | Raw) -> None:
        for identifier, item in identified(raw).items():
            if status := read(item, Status):
                self._keep(identifier, item, status)

    def surround(self, body: bytes, anchor: str) -> bool:
        """Take in what was told to stand around a post; whether that was as much as a server tells at most."""
        context = read(body, Context) or Context()
        self.add(context.ancestors)
        self.add(context.descendants)
        return is_cut(self.statuses, anchor, identified(context.descendants))

    def add_later(self, page: Mapping[str, Raw]) -> None:
        """Of what the author wrote later, that which belongs to it: what is answered comes before its answers."""
        for identifier in ordered(page):
            status = read(page[identifier], Status)
            if status and goes_on(self.statuses, status):
                self._keep(identifier, page[identifier], status)

    def _keep(self, identifier: str, item: Raw, status: Status) -> None:
        if identifier not in self.raws and not self.is_full:
            # A copy: the item itself would keep the whole answer, of which it is a part, in memory.
            self.raws[identifier], self.statuses[identifier] = item.copy(), status
            self.size += len(item)

    @property
    def first(self) -> Post | None:
        return read_post(self.raws[self.start], self.base, self.configured)

    def posts(self) -> list[Post]:
        """The one that was asked for first; what is not for everybody is left out."""
        posts = (read_post(raw, self.base, self.configured) for raw in self.raws.values())
        return [post for post in posts if post]


async def fetch_thread(about: About, ref: str) -> Sequence[Post] | Refused | TryLater | Gone:
    """Ask the author's own server where the post's name leads there: only that one knows all self-replies for sure."""
    api = about.api
    if address.is_nameless(ref):
        return Refused(
            f"{ref} does not say at which server the post is: open it there, and take the original's address"
        )
    where = await _place(api, ref)
    if where is None:
        return Refused(f"{ref} does not look like a post on a Mastodon server")
    if where.of_notes and (await about.kind(where.base)).speech is Speech.MISSKEY:
        return await misskey.fetch_thread(api, where)
    found = await _find(api, where)
    there = await _at_home(about, found) if isinstance(found, _Bag) else found
    return await _whole(api, there, ref) if isinstance(there, _Bag) else there


async def _place(api: MastodonApi, ref: str) -> address.StatusAddress | None:
    """Which post at which server an address means, told by its looks, or by where the server leads a browser."""
    where = address.read_link(ref, api.instances)
    if isinstance(where, address.Led):
        page = await api.get_text(where.url, accept="text/html")
        led = address.read_link(page.url, api.instances) if isinstance(page, Ok) else None
        return led if isinstance(led, address.StatusAddress) and is_home(led.base, where.base) else None
    return where if isinstance(where, address.StatusAddress) else None


async def _whole(api: MastodonApi, bag: _Bag, ref: str) -> Sequence[Post] | Refused | TryLater | Gone:
    first = await off_loop(len(bag.raws[bag.start]), lambda: bag.first)
    if first is None:
        return Gone(f"{ref} is not for everybody to read")
    if not is_home(first.uri, first.author.uri):
        return Refused(f"{ref} is refused: {bag.base} says that it is by {first.author.uri}, and calls it {first.uri}")
    if not counts_unasked(first, api.instances):
        return Refused(f"{ref} is a copy; {address.host_of(first.uri)}, where it comes from, does not show it")
    return await _fill(api, bag) or [
        post for post in await off_loop(bag.size, bag.posts) if counts_unasked(post, api.instances)
    ]


async def _at_home(about: About, found: _Bag) -> _Bag | Sequence[Post]:
    """The same post at the server that its name leads to; as it was found where that one does not show it."""
    api, uri = about.api, found.statuses[found.start].uri or ""
    home = await _place(api, uri) if not is_home(uri, found.base) else None
    if home is None or home.base == found.base:
        return found
    if home.of_notes and (await about.kind(home.base)).speech is Speech.MISSKEY:
        posts = await misskey.fetch_thread(api, home)
        return posts if isinstance(posts, Sequence) and posts[0].uri == uri else found
    there = await _find(api, home)
    return there if isinstance(there, _Bag) and there.statuses[there.start].uri == uri else found


async def _find(api: MastodonApi, where: address.StatusAddress) -> _Bag | Refused | TryLater | Gone:
    answer = await api.get(alias(where.base, where.id))
    if not isinstance(answer, Ok):
        return _reason(answer)
    status = read(answer.body, Status)
    boosted = read(status.reblog, Status) if status else None
    asked, raw = (boosted, bytes(status.reblog)) if status and boosted else (status, answer.body)
    bag = _Bag(address.instance_of(answer.url), str(asked.id if asked else ""), api.instances)
    await off_loop(len(raw), lambda: bag.add(b"[" + raw + b"]"))
    if bag.start not in bag.raws:
        return Refused(f"{address.host_of(answer.url)} does not speak the language of Mastodon servers")
    return bag


async def _fill(api: MastodonApi, bag: _Bag) -> Refused | TryLater | Gone | None:
    """Ask until the thread grows no more. Failure on the way leaves what was found; at the start it is the answer."""
    asked = ContextProgress()
    for number in range(_CALLS):
        if bag.is_full:
            return None
        match next_question(bag.statuses, bag.start, asked):
            case Around(anchor):
                if trouble := await _look_around(api, bag, anchor, asked):
                    return None if number else _reason(trouble)
            case After(anchor):
                await _read_after(api, bag, anchor, asked)
            case None:
                return None
    return None


async def _look_around(api: MastodonApi, bag: _Bag, anchor: str, asked: ContextProgress) -> Failure | None:
    answer = await api.get(f"{alias(bag.base, anchor)}/context")
    if not isinstance(answer, Ok):
        return answer
    asked.around.add(anchor)
    if await off_loop(len(answer.body), lambda: bag.surround(answer.body, anchor)):
        asked.cut.add(anchor)
    return None


async def _read_after(api: MastodonApi, bag: _Bag, anchor: str, asked: ContextProgress) -> None:
    """A page of what the author wrote next. A server that does not tell it is asked for the surroundings again."""
    asked.after.add(anchor)
    before, account = length(bag.statuses, bag.start), bag.statuses[bag.start].account
    params = [("limit", str(PAGE)), ("exclude_reblogs", "true"), ("min_id", anchor)]
    page = await api.get_list(address.account_feed(bag.base, str(account.id if account else "")), params)
    if isinstance(page, Listed):
        items = page.items
        await off_loop(sum(map(len, items.values())), lambda: bag.add_later(items))
        if len(page.items) < WHOLE:
            asked.end = anchor
    asked.fruitful = isinstance(page, Listed) and length(bag.statuses, bag.start) - before >= WORTH


def _reason(trouble: Failure) -> Refused | TryLater | Gone:
    match trouble:
        case Missing(host, sure=True):
            return Gone(f"{host} has no such post: it was deleted, or is not for everybody to read")
        case Missing(host) | Unexpected(host):
            return Refused(f"{host} does not speak the language of Mastodon servers")
        case Denied():
            return trouble.later()
        case _:
            return trouble
