"""A card as the words of one Matrix message, and the pictures that follow it. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from adapters.matrix import pieces
from adapters.matrix.limits import PICTURES, address
from adapters.matrix.look import Look
from adapters.matrix.prose import answer, fitted
from adapters.matrix.written import Room, Written, stacked
from relay.model import Card, Media, Post

__all__ = ["Written", "answer", "message", "pictures"]

_BODY = 6000
"""What is kept free for the text while the rest is set."""


def pictures(card: Card) -> tuple[Media, ...]:
    """The media that are to be shown as pictures of their own; none of a post whose media are to be folded."""
    if card.post.warning or card.post.sensitive:
        return ()  # Matrix has no spoiler for media: these stay links
    found = {media.url: media for media in card.post.media if address(media.picture)}
    return tuple(found.values())[:PICTURES]


def message(card: Card, look: Look, *, shown: Collection[str] = (), count: bool = True) -> Written:
    """All that is said of a card, its text cut to what the rest leaves; never empty.

    ``shown`` are the addresses of the media that follow as pictures: all others are links in the text. ``count``: it
    tells how long the thread is so far.
    """
    post, say, room = card.post, look.say, Room()
    head = room.take(_head(card, look))
    foot = room.take(pieces.foot(card, say, count=count))
    room.left -= _BODY
    below = _below(card, look, shown, room)
    room.left += _BODY
    hidden = pieces.reason_of(post.warning) if post.warning else None
    body = fitted(post.body, room.left, more=pieces.continued(card, say), hidden=hidden)
    apart = "\n\n" if "\n" in head.body else "\n"  # below a title there is some space
    return stacked([stacked([head, body], apart), *below, foot])


def _head(card: Card, look: Look) -> Written:
    post, say = card.post, look.say
    named = stacked([pieces.byline(post.author, post.author.url), pieces.headline(post)], "\n")
    if not post.warning:
        return named
    caution = stacked([pieces.warned(post.warning, say), pieces.opening(post.url, say)], "\n")
    return stacked([named, caution], "\n\n" if "\n" in named.body else "\n")


def _below(card: Card, look: Look, shown: Collection[str], room: Room) -> list[Written]:
    """What stands between the text and the foot, as far as there is room."""
    post, say = card.post, look.say
    hidden = "" if post.warning else None
    found = []
    if post.poll:
        found.append(room.take(pieces.poll_lines(post.poll, say, min(3000, room.left), hidden=hidden)))
    if post.quote:
        found.append(room.take(pieces.quoted(post.quote, say, min(6000, room.left), hidden=hidden)))
    found.append(room.take(_link(post, room, hidden=hidden)))
    found.append(room.take(_media(post, look, shown, min(4000, room.left))))
    return found


def _link(post: Post, room: Room, *, hidden: str | None) -> Written:
    if post.link_card is None or address(post.link_card.url) in pieces.links_to(post):
        return Written()
    found = pieces.link_line(post.link_card, hidden=hidden)
    return found if found.size <= room.left else Written()


def _media(post: Post, look: Look, shown: Collection[str], most: int) -> Written:
    """What is not shown, or by a still alone, which is described; of a post with a warning nothing in plain."""
    stills = [replace(media, alt="") if media.url in shown else media for media in post.media]
    rest = [media for media in stills if media.url not in shown or not media.is_picture]
    if post.warning:
        return replace(pieces.media_lines(rest, look.say, most, url=post.url, hidden=""), body="")
    hidden = look.say("sensitive") if post.sensitive else None
    return pieces.media_lines(rest, look.say, most, url=post.url, hidden=hidden)
