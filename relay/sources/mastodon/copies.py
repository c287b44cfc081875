"""One post as several servers tell it: which copy is shown. ``richer`` and ``joined`` are pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from relay.model import Media, MediaKind, Post

_OLDEST = datetime.min.replace(tzinfo=UTC)
_KEPT = timedelta(minutes=10)
_MOST = 2000


def richer(one: Post, other: Post) -> bool:
    """Whether the first of two copies of a post tells more: a later edit, then what a reader would miss."""
    return _wealth(one) > _wealth(other)


def joined(first: Post, second: Post) -> Post:
    """The richer copy of a post under the names of both; it stands where it was read first.

    So it is no news and no edit where both are alike, and an edit where the second one has what the first one lacks.
    """
    if not richer(second, first):
        return first
    return replace(
        second,
        origin=first.origin,
        aliases=tuple(dict.fromkeys((*first.aliases, *second.aliases))),
        reply_to=first.reply_to or second.reply_to,
        reply_to_author=first.reply_to_author or second.reply_to_author,
    )


def _wealth(post: Post) -> tuple[object, ...]:
    """What is compared, the weightiest first. No text: servers differ in how they clean it."""
    return (
        post.edited or _OLDEST,
        bool(post.body) or bool(post.warning),
        sum(_is_shown(media) for media in post.media),
        sum(bool(media.alt) for media in post.media),
        post.poll is not None,
        post.quote is not None and post.quote.author is not None,
        post.quote is not None,
        len(post.tags),
        bool(post.language),
        bool(post.author.avatar),
    )


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

    def _forget(self, now: datetime) -> None:
        while len(self._known) > _MOST or next(iter(self._known.values())).at < now - _KEPT:
            del self._known[next(iter(self._known))]
