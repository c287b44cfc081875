"""What a card says, piece by piece, as Markdown; each piece within a limit. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from urllib.parse import urlsplit

from adapters.discord.limits import ALT, BUTTON_URL, Measure, address, lines_within, size
from adapters.discord.markdown import escape, fitted, link, target_of, wrapped
from relay.i18n import Words, later
from relay.model import Author, Card, LinkCard, Media, MediaKind, Poll, Post, Quote
from relay.phrases import quoted, turnout
from relay.rich import Mark, Text
from relay.text import clean, isolate, short, text_content

SMALL = "-# "
"""Begins a line in small letters; embeds do not know it."""
LONGEST = 1500
"""Of an address that is too long for a button, and is linked in the text."""
_BAR = 10
_MOST_TITLE = 240
_SIGNS = {
    MediaKind.IMAGE: ("🖼️", later("Picture")),
    MediaKind.VIDEO: ("▶️", later("Video")),
    MediaKind.ANIMATION: ("▶️", later("Animation")),
    MediaKind.AUDIO: ("🔊", later("Sound")),
    MediaKind.FILE: ("📎", later("File")),
}


@dataclass(slots=True)
class Room:
    """How much of a message's text is left."""

    left: int
    measure: Measure = size

    def take(self, text: str) -> str:
        """The text, counted."""
        self.left -= self.measure(text)
        return text

    def lines(self, lines: Iterator[str] | Sequence[str], most: int) -> str:
        """As many of the lines as fit into what is left, and into ``most``; counted."""
        return self.take(lines_within(lines, min(most, self.left), measure=self.measure))

    def text(self, text: Text, most: int, *, more: str = "", folded: bool = False) -> str:
        """The text cut to what is left, and to ``most``; counted."""
        limit = max(0, min(most, self.left))
        return self.take(fitted(text, limit, more=more, folded=folded, measure=self.measure))


def moment(when: datetime, form: str) -> str:
    """A time as each reader's own client tells it (``f``: date and time, ``R``: how long ago)."""
    return f"<t:{int(when.timestamp())}:{form}>"


def name_of(author: Author, limit: int) -> str:
    """What to call an author; never empty."""
    return short(author.name, limit) or short(author.handle, limit) or short(author.uri, limit) or "?"


def _named(author: Author, url: str) -> str:
    name = name_of(author, 80)
    words = link(name, url)
    # Only where it is needed: the isolates are characters like others to whoever copies the name.
    return isolate(words) if any(unicodedata.bidirectional(char) in {"R", "AL"} for char in name) else words


def byline(post: Post, say: Words) -> list[str]:
    """Who wrote it, their handle, and when."""
    handle = escape(short(post.author.handle, 100))
    return [f"### {_named(post.author, post.author.url)}", handle, f"-# {times(post, say)}"]


def times(post: Post, say: Words) -> str:
    """When it was published, and edited, as each reader's own client tells times."""
    edited = say("edited {when}").format(when=moment(post.edited, "R")) if post.edited else ""
    told = [moment(post.published, "f"), moment(post.published, "R"), edited]
    return " · ".join(part for part in told if part)


def headline(post: Post) -> str:
    """The title of a post that has one, as a heading that leads to it."""
    title = short(post.title, _MOST_TITLE)
    return f"## {link(title, post.url)}" if title else ""


def warned(warning: str, say: Words) -> str:
    """A content warning, to be read before what it warns of."""
    caution = say("Content warning:")  # not within the f-string: its extraction would not find it there
    return f"⚠️ **{caution}** {escape(short(warning, 300))}" if warning else ""


def continued(card: Card, say: Words) -> str:
    """Where a text that was cut goes on."""
    url = card.unroll or card.post.url
    # The ellipsis stands at the end of the text already, unless nothing of it was left.
    return link(say("continue reading"), url) if address(url) else ""


def described(media: Media, say: Words) -> str:
    """The description of a picture or its preview, for those who do not see it."""
    return short(media.alt, ALT) or say("Picture without a description")


def media_lines(all_media: Sequence[Media], say: Words, *, folded: bool) -> Iterator[str]:
    """Media as links with their descriptions; ``folded``: behind spoilers."""
    for media in all_media:
        sign, kind = _SIGNS[media.kind]
        url, alt = address(media.link, 700), short(media.alt, 160)
        if url or alt:
            words = f"{link(say(kind), url)}{': ' if alt else ''}{escape(alt)}"
            yield f"{sign} {wrapped(words, Mark.SPOILER) if folded else words}"


# --- polls ---


def poll_lines(poll: Poll, say: Words, *, folded: bool, small: str = SMALL) -> Iterator[str]:
    """The options of a poll with their shares, and how many voted until when."""
    for option in poll.options:
        share = poll.share(option)
        words = escape(short(option.text, 120))
        words = wrapped(words, Mark.SPOILER) if folded else words
        yield f"{'☐' if poll.multiple else '○'} {words}" if share is None else f"{_bar(share)} **{share} %** {words}"
    facts = [count] if (count := turnout(poll, say)) else []
    if poll.closes:
        facts.append(say("closing time {when}").format(when=moment(poll.closes, "f")))
    if facts:
        yield f"{small}{' · '.join(facts)}"


def _bar(share: int) -> str:
    full = round(share * _BAR / 100)
    return "▰" * full + "▱" * (_BAR - full)


# --- link cards and quotes ---


def link_card_lines(card: LinkCard, *, folded: bool, small: str = SMALL) -> Iterator[str]:
    """The preview of a link: its title, what it says of itself, and its host."""
    title = wrapped(link(short(card.title, 200) or _host(card.url), card.url), Mark.BOLD)
    words = escape(short(card.description, 240))
    yield f"🔗 {wrapped(title, Mark.SPOILER) if folded else title}"
    if words:
        yield f"{small}{wrapped(words, Mark.SPOILER) if folded else words}"
    if not folded and (host := _host(card.url)):
        yield f"{small}{escape(host)}"


def _host(url: str) -> str:
    return urlsplit(address(url)).netloc.removeprefix("www.")


def quote_lines(quote: Quote, say: Words, room: Room, most: int, *, folded: bool) -> Iterator[str]:
    """A quoted post in a block quote; where it may not be shown, a link to it."""
    if quote.author is None:
        words = quoted(quote, say)
        yield f"> {link(words, quote.url) if address(quote.url) else escape(words)}"
        return
    folded = folded or bool(quote.warning)
    head = f"{wrapped(_named(quote.author, quote.url), Mark.BOLD)} {escape(short(quote.author.handle, 100))}"
    above = [f"> {line}" for line in (head.strip(), warned(quote.warning, say)) if line]
    below = [f"> {line}" for line in _below(quote, say, folded=folded)]
    yield from above
    left = min(most, room.left) - room.measure("\n".join([*above, *below])) - 4
    body = tuple(replace(block, quote=1) for block in quote.body)
    if shown := fitted(body, max(0, left), folded=folded, measure=room.measure):
        yield shown
    yield from below


def _below(quote: Quote, say: Words, *, folded: bool) -> Iterator[str]:
    """What a quoted post has beside its text, in a few lines."""
    yield from islice(media_lines(quote.media, say, folded=folded), 4)
    if quote.poll:
        yield from islice(poll_lines(quote.poll, say, folded=folded, small=""), 5)
    if quote.link_card:
        yield from islice(link_card_lines(quote.link_card, folded=folded, small=""), 1)


# --- the foot ---


def original(card: Card) -> str:
    """The address that a message of this card leads to; "" where there is none."""
    return address(card.post.url, BUTTON_URL) or target_of(card.post.url, LONGEST)


def leads_to(card: Card, say: Words) -> str:
    """What to call the original."""
    return say("All of them") if card.own else say("Original")


def unrolled(card: Card, say: Words) -> str:
    """What to call the thread's page; "" where there is no thread."""
    return say("Unroll ({n})").format(n=card.thread.count) if card.thread else ""


def ways(card: Card, say: Words) -> list[str]:
    """What else would be buttons, as links."""
    targets = [(unrolled(card, say), card.unroll), (leads_to(card, say), card.post.url)]
    return [link(name, url, longest=LONGEST) for name, url in targets if name and target_of(url, LONGEST)]


def foot(card: Card, *, marked: bool) -> str:
    """Why it is here, and where in its thread it stands; ``marked``: as Markdown."""
    reason = short(card.reason, 160)
    place = f"🧵 {card.thread.position}/{card.thread.count}" if card.thread else ""
    return " · ".join(part for part in (escape(reason) if marked else reason, place) if part)


def beginning(post: Post, limit: int) -> str:
    """How a post begins, on one line: its title, its warning, or its first words; empty where it has none."""
    words = post.title or (f"⚠️ {post.warning}" if post.warning else text_content(post.body[:3])[: 4 * limit])
    return clean(words, limit=limit)
