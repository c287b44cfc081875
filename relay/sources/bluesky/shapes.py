"""What the AT Protocol sends, as far as it is read here (lexicons of ``app.bsky`` and ``com.atproto``).

Everything has a default, and the parts that a post can do without stay raw until they are looked at: JSON of another
shape costs that part or that post, never the page.
"""

from __future__ import annotations

import msgspec

from relay.sources.lenient import Raw, read, read_all

__all__ = ["Raw", "read", "read_all"]


class _Typed(msgspec.Struct, kw_only=True):
    """A member of a union, which says what it is."""

    type: str | None = msgspec.field(name="$type", default=None)


# --- rich text (app.bsky.richtext.facet) ---


class ByteSlice(msgspec.Struct):
    """A stretch of the text in UTF-8 bytes, the end not included."""

    byteStart: int  # noqa: N815 - the lexicon's names
    byteEnd: int  # noqa: N815 - as above


class Feature(_Typed):
    uri: str | None = None
    tag: str | None = None
    did: str | None = None


class Facet(msgspec.Struct):
    index: ByteSlice
    features: Raw = Raw()


# --- records (app.bsky.feed.post) ---


class Ref(msgspec.Struct):
    """A strong reference; ``cid`` names the version."""

    uri: str
    cid: str | None = None


class ReplyRef(msgspec.Struct):
    parent: Ref
    root: Ref | None = None


class Value(msgspec.Struct):
    val: str


class SelfLabels(msgspec.Struct):
    values: Raw = Raw()


class Record(_Typed):
    text: str
    facets: Raw = Raw()
    reply: Raw = Raw()
    embed: Raw = Raw()
    langs: Raw = Raw()
    labels: Raw = Raw()
    tags: Raw = Raw()
    created: Raw = msgspec.field(name="createdAt", default=Raw())
    bridged_text: Raw = msgspec.field(name="bridgyOriginalText", default=Raw())
    bridged_url: Raw = msgspec.field(name="bridgyOriginalUrl", default=Raw())


# --- embeds (app.bsky.embed) ---


class LinkFacet(msgspec.Struct):
    cid: str = msgspec.field(name="$link")


class Blob(msgspec.Struct):
    """A file in the author's repository; old ones name it by ``cid``."""

    ref: LinkFacet | None = None
    cid: str | None = None


class Ratio(msgspec.Struct):
    width: int | None = None
    height: int | None = None


class Image(msgspec.Struct):
    """In a record ``image`` is the file, in a view the others are addresses; galleries say ``thumbnail``."""

    alt: str | None = None
    fullsize: str | None = None
    thumb: str | None = None
    thumbnail: str | None = None
    image: Raw = Raw()
    ratio: Raw = msgspec.field(name="aspectRatio", default=Raw())


class External(msgspec.Struct):
    """``thumb`` is a file in a record, an address in a view."""

    uri: str
    title: str | None = None
    description: str | None = None
    thumb: Raw = Raw()


class Embed(_Typed):
    """Any embed, as it stands in a record or in a view."""

    images: Raw = Raw()
    items: Raw = Raw()
    media: Raw = Raw()
    external: Raw = Raw()
    record: Raw = Raw()
    video: Raw = Raw()
    playlist: str | None = None
    thumbnail: str | None = None
    alt: str | None = None
    presentation: str | None = None
    ratio: Raw = msgspec.field(name="aspectRatio", default=Raw())


class Shown(_Typed):
    """What a record embed shows: a post, something else with a name, or why there is nothing to see."""

    uri: str
    value: Raw = Raw()
    author: Raw = Raw()
    labels: Raw = Raw()
    embeds: Raw = Raw()
    record: Raw = Raw()
    name: str | None = None
    title: str | None = msgspec.field(name="displayName", default=None)
    description: str | None = None
    indexed: str | None = msgspec.field(name="indexedAt", default=None)


class Pack(msgspec.Struct):
    """The record of a starter pack, in which its name is."""

    name: str | None = None
    description: str | None = None


# --- views (app.bsky.feed.defs, app.bsky.actor.defs) ---


class Label(msgspec.Struct):
    """``neg``: the label is taken back."""

    val: str
    src: str | None = None
    neg: bool | None = None


class ActorProfile(msgspec.Struct):
    did: str
    handle: str | None = None
    name: str | None = msgspec.field(name="displayName", default=None)
    avatar: str | None = None
    description: str | None = None
    labels: Raw = Raw()
    created: str | None = msgspec.field(name="createdAt", default=None)


class PostView(msgspec.Struct):
    uri: str
    author: ActorProfile
    record: Raw
    cid: str | None = None
    embed: Raw = Raw()
    labels: Raw = Raw()
    indexed: str | None = msgspec.field(name="indexedAt", default=None)
    replies: int | None = msgspec.field(name="replyCount", default=None)
