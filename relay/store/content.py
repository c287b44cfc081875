"""Posts as JSON, and what counts as an edit of one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import Enum, auto

import msgspec

from relay.authenticity import is_from_home
from relay.model import Poll, Post, Quote
from relay.rich import Block

_encoder = msgspec.json.Encoder()
decode: Callable[[str], Post] = msgspec.json.Decoder(Post).decode


def encode(post: Post) -> str:
    """The post as JSON that :func:`decode` reads back to an equal post."""
    return _encoder.encode(post).decode()


class Change(Enum):
    """What a new reading of a known post says."""

    NONE = auto()
    DETAIL = auto()
    """Worth keeping for the pages (votes, a name, a link's preview), not worth editing a message for."""
    EDIT = auto()


def change(old: Post, new: Post) -> Change:
    """Compare two readings of one post. An older one, or one from elsewhere that claims no later edit, says nothing.

    The reading of the author's own host takes the place of any other host's.
    """
    if not _supersedes(old, new) or old == new:
        return Change.NONE
    if old.origin != new.origin and old.edited == new.edited:  # each server shows its own copies of the media
        old, new = _unplaced(old), _unplaced(new)
    return Change.DETAIL if content(old) == content(new) else Change.EDIT


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
    return quote.url, quote.state, who, quote.warning, tuple(map(_words, quote.body)), alts, _options(quote.poll)


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
