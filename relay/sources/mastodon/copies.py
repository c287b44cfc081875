"""One post as several servers tell it: which copy is shown. ``richer`` and ``joined`` are pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from relay.core.authenticity import is_from_home, with_quoted_words
from relay.model import Media, MediaKind, Post, PostUri, Quote, QuoteState

_OLDEST = datetime.min.replace(tzinfo=UTC)
_KEPT = timedelta(minutes=10)
_MOST = 2000


def richer(one: Post, other: Post) -> bool:
    """Whether the first of two copies of a post tells more: a later edit, then what a reader would miss."""
    return _wealth(one) > _wealth(other)


def is_news(known: Post, post: Post) -> bool:
    """Whether one server's new reading of a post tells of a change. An older edit comes from a cache on the way.

    No server dates what becomes of a quote: its author agrees, takes it back, or deletes what is quoted.
    """
    was, now = known.edited or _OLDEST, post.edited or _OLDEST
    if post.uri != known.uri or now < was:
        return False
    return now > was or with_quoted_words(post, known).quote != known.quote


def joined(first: Post, second: Post) -> Post:
    """The better copy of a post under the names of both.

    What the author's own server tells is the author's word: no other copy changes it, and it replaces every other one.
    Of two others the first one stands where it was read, and has from the second one what it lacks, but not its words,
    unless those are of a later edit.
    """
    names = tuple(dict.fromkeys((*first.aliases, *second.aliases)))
    if is_from_home(second):
        return replace(with_quoted_words(second, first), aliases=names)
    if is_from_home(first) or first.author.uri != second.author.uri or not richer(second, first):
        return first
    is_later = (second.edited or _OLDEST) > (first.edited or _OLDEST)
    return replace(
        second if is_later else _completed(first, second),
        origin=first.origin,
        aliases=names,
        reply_to=first.reply_to or second.reply_to,
        reply_to_author=first.reply_to_author or second.reply_to_author,
    )


def _completed(first: Post, second: Post) -> Post:
    """The first copy with what only the second one has."""
    has_words = bool(first.body) or bool(first.warning)
    one, other = _media(first), _media(second)
    return replace(
        first,
        body=first.body if has_words else second.body,
        warning=first.warning if has_words else second.warning,
        media=second.media if other > one else first.media,
        poll=first.poll or second.poll,
        quote=max(first.quote, second.quote, key=_told_of_quote),
        tags=max(first.tags, second.tags, key=len),
        language=first.language or second.language,
        author=replace(first.author, avatar=first.author.avatar or second.author.avatar),
    )


def _wealth(post: Post) -> tuple[object, ...]:
    """What is compared, the weightiest first. No text: servers differ in how they clean it."""
    return (
        post.edited or _OLDEST,
        bool(post.body) or bool(post.warning),
        _media(post),
        post.poll is not None,
        _told_of_quote(post.quote),
        len(post.tags),
        bool(post.language),
        bool(post.author.avatar),
    )


def _media(post: Post) -> tuple[int, int]:
    """How many are to be seen, and how many are described."""
    return sum(map(_is_shown, post.media)), sum(bool(media.alt) for media in post.media)


def _told_of_quote(quote: Quote | None) -> int:
    """Nothing, the link alone, or the words; that it was taken back is told by one server before the others."""
    if quote is None:
        return 0
    if quote.state in {QuoteState.WITHDRAWN, QuoteState.DELETED}:
        return 3
    return 1 if quote.author is None else 2


def _is_shown(media: Media) -> bool:
    """A server that has not fetched a picture names it as a file of unknown kind."""
    return media.kind is not MediaKind.FILE


@dataclass(frozen=True, slots=True)
class _Copy:
    post: Post
    several: bool
    """More than one server told it: none of them is right by being the first any more."""
    at: datetime


@dataclass(slots=True)
class Copies:
    """The posts that were read in the last minutes, over all servers.

    Nothing waits for a better copy. One that comes later is told as what the first one should have been.
    """

    _known: dict[str, _Copy] = field(default_factory=dict)

    def best(self, post: Post, now: datetime) -> Post:
        """The best copy that is known of this post; the post itself where no other server told it."""
        known = self._known.pop(post.uri, None)
        several = known is not None and (known.several or known.post.origin != post.origin)
        best = joined(known.post, post) if known and several else post
        self._known[post.uri] = _Copy(best, several, now)
        self._forget(now)
        return best

    def from_home(self, uri: PostUri) -> Post | None:
        """The post as its author's own server told it lately."""
        known = self._known.get(uri)
        return known.post if known and is_from_home(known.post) else None

    def _forget(self, now: datetime) -> None:
        while len(self._known) > _MOST or next(iter(self._known.values())).at < now - _KEPT:
            del self._known[next(iter(self._known))]
