"""The values, and the glossary: one word per thing, everywhere.

All values are frozen, all times are aware and in UTC. Nothing here does I/O, knows a clock, or knows a network or a
chat platform by name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType

from relay.options import NO_FILTERS, USUAL_DELIVERY, DeliveryOptions, Filters
from relay.rich import Text

# --- the parts of a post: who wrote it, its pictures, its poll, what it quotes and links to ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who wrote a post. ``handle`` is the full address a reader can search for (``@who@host``), or empty."""

    uri: str
    name: str
    url: str = ""
    handle: str = ""
    claim: str = ""
    """Another handle that was told, which nobody has vouched for: it is looked up, never shown and never kept."""
    avatar: str = ""
    bot: bool = False
    indexable: bool | None = None
    """What the author said of search engines; None: nothing."""
    created: datetime | None = None
    """When the account was made; None: nobody says."""
    discoverable: bool | None = None
    """What the author said of lists and directories; None: nothing."""
    refuses: bool = False
    """The author asks bots or archives to stay away (``#nobot``, ``noindex`` and their kind)."""


_MOVING = (".gif", ".webp", ".apng", ".avif")
"""The pictures that move."""


class MediaKind(StrEnum):
    IMAGE = "image"
    VIDEO = "video"
    ANIMATION = "animation"
    AUDIO = "audio"
    FILE = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """A picture, video, sound or file; ``alt`` is its description in words, ``preview`` a small picture of it."""

    url: str
    kind: MediaKind
    alt: str = ""
    preview: str = ""
    width: int | None = None
    height: int | None = None
    page: str = ""
    """Where a person sees it, if ``url`` is no file for that (a playlist, a player); empty: at ``url``."""

    @property
    def link(self) -> str:
        """Where a person sees it."""
        return self.page or self.url

    @property
    def is_picture(self) -> bool:
        """Whether its address is that of a picture, moving or not."""
        path = self.url.partition("#")[0].partition("?")[0].lower()
        return self.kind is MediaKind.IMAGE or (self.kind is MediaKind.ANIMATION and path.endswith(_MOVING))

    @property
    def picture(self) -> str:
        """The address of a picture that shows it: itself, or a still of it; empty: there is none."""
        if self.is_picture:
            return self.url
        return self.preview if self.kind in {MediaKind.ANIMATION, MediaKind.VIDEO} else ""

    def addresses(self) -> dict[str, str]:
        """Where all of it is, by name; what is empty or the same is left out."""
        more = {"preview": self.preview, "page": self.page}
        return {"url": self.url, **{name: url for name, url in more.items() if url and url != self.url}}


@dataclass(frozen=True, slots=True, kw_only=True)
class PollOption:
    text: str
    votes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    options: tuple[PollOption, ...]
    votes: int | None = None
    multiple: bool = False
    closes: datetime | None = None
    voters: int | None = None
    """How many people voted, where the network says: each may have chosen several answers."""

    def share(self, option: PollOption) -> int | None:
        """How many of those who voted chose this, in whole percent; None where that is not told."""
        if option.votes is None:
            return None
        total = self.voters or self.votes or sum(each.votes or 0 for each in self.options)
        return min(100, max(0, round(100 * option.votes / total))) if total else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkCard:
    """The preview that the network made of a link in a post."""

    url: str
    title: str
    description: str = ""
    image: str = ""


class QuoteState(StrEnum):
    """What a network says of a quote; of all but the first there are no words to show."""

    ACCEPTED = "accepted"
    PENDING = "pending"
    """The quoted author has not agreed yet."""
    WITHDRAWN = "withdrawn"
    """The quoted author does not agree, or no longer."""
    DELETED = "deleted"
    HIDDEN = "hidden"
    """The quoted post is not for everybody, or not for us."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A quoted post, one level deep. Without ``author`` it may not be shown: only the link and the state are kept."""

    url: str = ""
    """Where it can be read; empty where nobody says, or where it is not to be told."""
    author: Author | None = None
    body: Text = ()
    warning: str = ""
    sensitive: bool = False
    """Its author asks to fold its media."""
    media: tuple[Media, ...] = ()
    poll: Poll | None = None
    link_card: LinkCard | None = None
    state: QuoteState = QuoteState.ACCEPTED

    def silenced(self) -> Quote:
        """The quote without the words of an author who is not to be shown."""
        return Quote(url=self.url, state=QuoteState.HIDDEN)


# --- model ---

__all__ = ["Author", "LinkCard", "Media", "MediaKind", "Poll", "PollOption", "Quote", "QuoteState"]

PostUri = NewType("PostUri", str)
"""The network's own, world-wide id of a post (ActivityPub ``uri``, ``at://`` uri, a feed's guid within its feed)."""
FeedId = NewType("FeedId", int)
SubscriptionId = NewType("SubscriptionId", int)
DeliveryId = NewType("DeliveryId", str)
"""Unique over the lives of all databases: a fresh database never reuses an old one's ids."""
MessageId = NewType("MessageId", str)
"""What a chat platform calls a message; only its adapter can read it."""


# --- what people post ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One post, toot, status, skeet or feed entry, as a source understood it."""

    uri: PostUri
    url: str
    """Where a person can read it; never empty (falls back to ``uri``)."""
    source: str
    """The name of the source that read it."""
    origin: str
    """Where the source read it: an instance's base address, or a feed's address."""
    author: Author
    published: datetime
    body: Text = ()
    title: str = ""
    warning: str = ""
    """The author's content warning; the body is to be folded behind it."""
    sensitive: bool = False
    """The media are to be folded."""
    language: str = ""
    other_languages: tuple[str, ...] = ()
    """Those that its author named besides."""
    tags: tuple[str, ...] = ()
    """Hashtags without ``#``, as the author wrote them."""
    media: tuple[Media, ...] = ()
    poll: Poll | None = None
    quote: Quote | None = None
    link_card: LinkCard | None = None
    edited: datetime | None = None
    aliases: tuple[str, ...] = ()
    """Other names of this post by which a reply or a re-check may call it (an instance's own id of it)."""
    reply_to: str = ""
    """The uri or an alias of the post that this one answers; empty: it starts a conversation."""
    reply_to_author: str = ""
    """A hint only: whose post it answers, where the network says so. Networks get this wrong: look the parent up."""
    unlisted: bool = False
    """Public, but not for hashtag pages: shown when a thread is asked for, never relayed by hashtag."""


@dataclass(frozen=True, slots=True)
class Removed:
    """The place of a post in a thread that is no longer to be read. Its text is gone on purpose."""

    uri: PostUri
    aliases: tuple[str, ...] = field(default=(), compare=False)
    """By what else later posts may call it."""
    reply_to: str = field(default="", compare=False)
    """What it answered, as far as that is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """One author's chain of self-replies, oldest first; never empty."""

    posts: tuple[Post | Removed, ...]
    asides: tuple[tuple[Post, ...], ...] = ()
    """Other chains of self-replies that branch off, each oldest first."""
    parent: str = ""
    """The uri or alias of somebody else's post that the first one answers."""

    @property
    def root(self) -> PostUri:
        return self.posts[0].uri


# --- what happened ---


@dataclass(frozen=True, slots=True)
class Published:
    post: Post


@dataclass(frozen=True, slots=True)
class Edited:
    """The post as it reads now. A source may say this of a post that nobody relayed; it then changes nothing."""

    post: Post


@dataclass(frozen=True, slots=True)
class Deleted:
    """``ref`` is the uri or an alias."""

    ref: str


Event = Published | Edited | Deleted


# --- who wants what ---


@dataclass(frozen=True, slots=True)
class Destination:
    """One channel, chat, room or topic in it, at one adapter; written ``adapter:address``, or the adapter alone."""

    adapter: str
    address: str = ""

    @classmethod
    def parse(cls, text: str) -> Destination:
        """Read ``adapter:address``; the address is the adapter's business. ``ValueError`` where no adapter is named."""
        adapter, _, address = text.strip().partition(":")
        if not adapter:
            raise ValueError(f"{text!r} names no adapter; write it like adapter:address")
        return cls(adapter, address)

    def __str__(self) -> str:
        return f"{self.adapter}:{self.address}" if self.address else self.adapter


CHAT = "chat"
"""The origin of the subscriptions that people make in the chats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A topic, a destination and the options. ``feeds`` are what is read to serve it."""

    id: SubscriptionId
    topic: str
    """What the person wrote: a hashtag, an account, a thread, a feed's address."""
    destination: Destination
    origin: str = ""
    """Who keeps it: a configuration (``config:NAME``), or the people in the chats (:data:`CHAT`)."""
    networks: tuple[str, ...] = ()
    """The sources to ask; empty: all that are configured."""
    delivery_options: DeliveryOptions = USUAL_DELIVERY
    filters: Filters = NO_FILTERS
    options: str = ""
    """How it is to be shown: a JSON object that only the destination's adapter can read; empty: as configured."""
    community: str = ""
    """What the destination is a part of (a guild, a homeserver), as its adapter calls it; empty: not known."""
    paused: str = ""
    """Why it wants nothing for now; empty: it is in force."""
    tags: tuple[tuple[str, str], ...] = ()
    """(source, folded hashtag): it wants every post of that source with that hashtag, whichever feed brings it."""
    feeds: tuple[FeedId, ...] = ()
    """It wants every post that these feeds bring."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """One thing that is polled or streamed at one source to serve topics: an address plus the cursor in it.

    ``cursor`` is the source's own note of how far it has read; only the source can read it. ``seeded`` says that the
    first poll has been done, whatever it brought.
    """

    id: FeedId
    source: str
    address: str
    cursor: str = ""
    seeded: bool = False
    failures: int = 0
    """Polls in a row that brought no answer."""


# --- what is to be done ---


class Action(StrEnum):
    """What is to be done at a destination with a post."""

    SEND = "send"
    EDIT = "edit"
    COUNT = "count"
    """The post is as it was, but its thread grew (``card.thread.count``): only the count beside it changes."""
    DELETE = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a post stands in its thread: ``position`` counts from 1, ``count`` is how long the thread is so far."""

    root: PostUri
    position: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """The neutral picture of one post that an adapter renders."""

    post: Post
    reason: str
    """Why it is here, for people: the topic and where it was read."""
    thread: Place | None = None
    unroll: str = ""
    """The address of the page on which the whole thread reads as a text; empty where no page can be reached."""
    own: bool = False
    """``post`` is the relay's own word on several posts: its address leads to them, not to an original."""
    posts: tuple[Post, ...] = ()
    """The whole thread so far, oldest first, where one message may show all of it; empty: ``post`` alone."""


class DigestReason(StrEnum):
    """Why posts share one message."""

    BUDGET = "budget"
    """More came than the destination takes within the hour."""
    QUIET = "quiet"
    """They came while it was to be quiet."""
    DIGEST = "digest"
    """That was asked for."""
    MANY = "many"
    """More came at once than the source gives messages of their own."""
    LATE = "late"
    """They were published long before they came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """Posts of one subscription that share one message at its destination, in the place of one message each."""

    slug: str
    """The unguessable name of the page on which all of them stand."""
    reason: DigestReason
    topic: str
    tag: str = ""
    """The folded hashtag, where the topic is one that is followed in public: its page has them too."""
    count: int
    """How many posts it stands for."""
    listed: int = 0
    """How many stand on its page, with those that came along and have messages of their own."""
    since: datetime
    best: tuple[Card, ...] = ()
    """Some of them, the best first; of a thread only the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One thing to do at one destination; it lives in the outbox until it is settled.

    ``id`` is the idempotency key: a platform that takes one is given this, so that a second try of the same delivery
    is the same message.
    """

    id: DeliveryId
    action: Action
    destination: Destination
    uri: PostUri
    card: Card | None
    """What to show; None for a deletion."""
    messages: tuple[MessageId, ...] = ()
    """The messages that the send of this post became: what an edit, a new count or a deletion is about."""
    under: tuple[MessageId, ...] = ()
    """Of a send: the messages of the thread's first post at this destination, under which this one continues."""
    options: str = ""
    """How the subscription wants it shown (:attr:`Subscription.options`)."""
    attempts: int = 0
    """Tries begun before this one; those that were cut off and begun anew count as one."""
    interrupted: bool = False
    """An earlier try began and its end was never written down: the platform may or may not have taken it."""
    page: str = ""
    """The unguessable name of the thread's page; the outbox makes ``card.unroll`` of it."""
    url: str = ""
    """Of a deletion by its author: where the post was; empty: it is to go for another reason."""
    digest: Digest | None = None
    """The posts that were folded; the outbox makes the card of them."""
