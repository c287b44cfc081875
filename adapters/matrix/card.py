"""A card as the words of one Matrix message, and the pictures that follow it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from adapters.matrix.limits import PICTURES, address
from adapters.matrix.message_text import MatrixBudget, MatrixText, stacked
from adapters.matrix.prose import answer, fitted
from adapters.matrix.sections import below, canvas, foot, framed, opening, reason_of
from adapters.matrix.style import MatrixStyle
from relay.card import Section, SectionKind, onward, sections
from relay.model import Card, Media, Post

__all__ = ["MatrixText", "answer", "message", "pictures"]

_NAMES = frozenset({SectionKind.BYLINE, SectionKind.HEADLINE})
_APART = _NAMES | {SectionKind.WARNING, SectionKind.BODY, SectionKind.FOOT}
_BODY = 6000
"""What is kept free for the text while the rest is set."""


def pictures(card: Card) -> tuple[Media, ...]:
    """The media that are to be shown as pictures of their own; none of a post whose media are to be folded."""
    if card.post.warning or card.post.sensitive:
        return ()  # Matrix has no spoiler for media: these stay links
    found = {media.url: media for media in card.post.media if address(media.picture)}
    return tuple(found.values())[:PICTURES]


def message(card: Card, look: MatrixStyle, *, shown: Collection[str] = (), count: bool = True) -> MatrixText:
    """All that is said of a card, its text cut to what the rest leaves; never empty.

    ``shown`` are the addresses of the media that follow as pictures: all others are links in the text. ``count``: it
    tells how long the thread is so far.
    """
    post, room, place = card.post, MatrixBudget(), canvas(look, count=count)
    found = sections(card, place, media=_told_of(post, shown))
    head = room.take(_head(card, found, look))
    end = room.take(foot(card, found, place))
    room.left -= _BODY
    rest = [room.take(below(one, card, look, room.left)) for one in found if one.kind not in _APART]
    room.left += _BODY
    hidden = reason_of(post.warning) if post.warning else None
    body = fitted(post.body, room.left, more=onward(card, place), hidden=hidden)
    apart = "\n\n" if "\n" in head.body else "\n"  # below a title there is some space
    return stacked([stacked([head, body], apart), *rest, end])


def _head(card: Card, found: Sequence[Section], look: MatrixStyle) -> MatrixText:
    named = stacked((framed(one) for one in found if one.kind in _NAMES), "\n")
    caution = [framed(one) for one in found if one.kind is SectionKind.WARNING]
    if not caution:
        return named
    told = stacked([*caution, opening(card.post.url, look)], "\n")
    return stacked([named, told], "\n\n" if "\n" in named.body else "\n")


def _told_of(post: Post, shown: Collection[str]) -> list[Media]:
    """What is not shown, or by a still alone, which is described."""
    stills = [replace(media, alt="") if media.url in shown else media for media in post.media]
    return [media for media in stills if media.url not in shown or not media.is_picture]
