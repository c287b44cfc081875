"""Posts as they are stored, and what counts as an edit of one.

A post is kept as JSON without the fields that say nothing, and that is deflated (RFC 1951): its addresses all name the
same host and the same author, and every post has the same field names. What is left is a sixth of the JSON.
"""

from __future__ import annotations

import types
import zlib
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass, replace
from enum import Enum, auto
from functools import cache, lru_cache
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec

from relay.core.authenticity import is_from_home
from relay.model import Poll, Post, Quote
from relay.rich import Block

_DICTIONARY = (
    b'"title":"","warning":"","sensitive":true,"edited":"2026-","unlisted":true,"other_languages":["bot":true,"refuses":'
    b'"poll":{"options":[{"text":"","votes":0},"votes":0,"multiple":true,"closes":"2026-","voters":"form":"heading"'
    b'"form":"code","form":"item","depth":1,"bullet":"\xe2\x80\xa2","quote":1,"marks":["code","bold","italic"]'
    b'"quote":{"url":"https://.app/profile/did:plc:/post/","author":{"uri":"did:plc:","name":"","url":'
    b'"at://did:plc:/feed.post/","source":"","origin":"https://cdn..app/img/avatar/plain/'
    b'"link_card":{"url":"https://www.","title":"","description":"","image":"https://","source":","origin":"https://'
    b'"media":[{"url":"https://media_attachments/files/original/.png","kind":"image","alt":"","preview":"https://'
    b'small/.jpg","width":1200,"height":900}],"role":"mention"},"reply_to":"https://","reply_to_author":"https://'
    b'"},{"text":"\\n"},{"text":"#","link":"https://.social/tags/","role":"hashtag"},{"text":" "},'
    b'"https://.social/users//statuses/11","url":"https://.social/@/11","source":",'
    b'"origin":"https://.social","author":{"uri":"https://.social/users/","name":"",'
    b'"url":"https://.social/@","handle":"@","avatar":"https://files..social/accounts/avatars/original/'
    b'.jpg","indexable":true,"created":"2022-11-01T00:00:00Z","discoverable":false},"published":"2026-08-01T12:00:00Z",'
    b'"body":[{"spans":[{"text":" the and of to in that is for https:// "}]},{"spans":[{"text":"","link":"https://"}]}],'
    b'"language":"en","tags":["aliases":["https://.social/api/v1/statuses/11"]}'
)
"""What posts have in common, the commonest last. It never changes: what is stored can be read with it alone."""
_LEVEL, _WINDOW, _MEMORY = 2, -12, 5  # quick: a higher level saves some bytes more for twice the time
_deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW, _MEMORY, zlib.Z_DEFAULT_STRATEGY, _DICTIONARY)
_json: Callable[[bytes], Post] = msgspec.json.Decoder(Post).decode
_encoder = msgspec.json.Encoder()


def encode(post: Post) -> bytes:
    """The post as it is stored; :func:`decode` reads it back to an equal post."""
    data = _encoder.encode(msgspec.convert(post, _sparse(Post), from_attributes=True))
    deflate = _deflate.copy()
    return deflate.compress(data) + deflate.flush()


def to_json(data: bytes) -> bytes:
    """What is stored as JSON: a field that is not there has its default."""
    return zlib.decompressobj(_WINDOW, _DICTIONARY).decompress(data)


@lru_cache(maxsize=256)  # a post is read for one destination after the other
def decode(data: bytes) -> Post:
    return _json(to_json(data))


@cache
def _sparse(kind: Any) -> Any:
    """A dataclass, or a type made of some, as what msgspec writes without the fields that have their defaults."""
    if isinstance(kind, type) and is_dataclass(kind):
        hints = get_type_hints(kind)
        wanted = [(field.name, _sparse(hints[field.name]), field.default) for field in fields(kind)]
        own = [(name, inner) if default is MISSING else (name, inner, default) for name, inner, default in wanted]
        return msgspec.defstruct(kind.__name__, own, omit_defaults=True, kw_only=True)
    inner = tuple(_sparse(one) for one in get_args(kind))
    match get_origin(kind):
        case types.UnionType:
            return Union[inner]  # noqa: UP007 - of types that are not known before
        case None:
            return kind
        case origin:
            return origin[inner]


class PostChange(Enum):
    """What a new reading of a known post says."""

    NONE = auto()
    DETAIL = auto()
    """Worth keeping for the pages (votes, a name, a link's preview), not worth editing a message for."""
    EDIT = auto()


def change(old: Post, new: Post) -> PostChange:
    """Compare two readings of one post. An older one, or one from elsewhere that claims no later edit, says nothing.

    The reading of the author's own host takes the place of any other host's.
    """
    if not _supersedes(old, new) or old == new:
        return PostChange.NONE
    if old.origin != new.origin and old.edited == new.edited:  # each server shows its own copies of the media
        old, new = _unplaced(old), _unplaced(new)
    return PostChange.DETAIL if content(old) == content(new) else PostChange.EDIT


def _supersedes(old: Post, new: Post) -> bool:
    if is_from_home(new) and not is_from_home(old):
        return True
    if new.edited is None or old.edited is None:
        return new.origin == old.origin or new.edited is not None
    return new.edited > old.edited or (new.edited == old.edited and new.origin == old.origin)


def content(post: Post) -> tuple[object, ...]:
    """What a reader would call the post's content: no counters, no previews, no looks."""
    return (
        post.title,
        post.warning,
        post.sensitive,
        tuple(_words(block) for block in post.body),
        tuple((media.url, media.alt) for media in post.media),
        _options(post.poll),
        _quoted(post.quote) if post.quote else (),
    )


def _options(poll: Poll | None) -> tuple[str, ...]:
    return tuple(option.text for option in poll.options) if poll else ()


def _quoted(quote: Quote) -> tuple[object, ...]:
    """Not where its pictures are: each server shows its own copies."""
    who = quote.author and quote.author.uri
    alts = tuple(media.alt for media in quote.media)
    looks = quote.warning, quote.sensitive, alts
    return quote.url, quote.state, who, tuple(map(_words, quote.body)), looks, _options(quote.poll)


def _unplaced(post: Post) -> Post:
    return replace(post, media=tuple(replace(media, url="") for media in post.media))


def _words(block: Block) -> tuple[str, tuple[str, ...]]:
    return "".join(span.text for span in block.spans), tuple(span.link for span in block.spans if span.link)


def stub(post: Post) -> Post:
    """What may be kept of a post that its author deleted: its place and whose it was, none of what it said."""
    return Post(
        uri=post.uri,
        url=post.url,
        source=post.source,
        origin=post.origin,
        author=post.author,
        published=post.published,
        reply_to=post.reply_to,
        aliases=post.aliases,
    )
