"""What a card says, piece by piece, in both forms. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace

from markupsafe import Markup

from adapters.matrix.limits import SHORT_URL, address
from adapters.matrix.links import is_blank, told
from adapters.matrix.mentions import quiet, spelled
from adapters.matrix.prose import bounded, fitted, line, written
from adapters.matrix.written import Written, stacked, within
from relay.card import quoted as named
from relay.card import turnout
from relay.i18n import Words, later
from relay.model import Author, Card, LinkCard, Media, MediaKind, Poll, PollOption, Post, Quote
from relay.rich import Block, Form, Mark, Role, Span
from relay.text import isolate, short

_MOST_NAME, _MOST_HANDLE, _MOST_TITLE, _MOST_WARNING, _MOST_REASON = 80, 100, 240, 300, 160
_MOST_ALT, _MOST_OPTION, _MOST_LINES, _MOST_OPTIONS = 500, 160, 12, 20
_MOST_SPOILER = 60
_BOLD = (Mark.BOLD,)
_MOST_QUOTE, _MOST_QUOTED = 4000, 4
"""Of a quoted post: what its text may take, and its media."""
_READ = 12_000
_DOT = (Span(" · "),)
_HEADING, _BARE = Markup("<h3>{}</h3>"), Markup("{}")
_SMALL, _SMALL_LINE = Markup("<sub>{}</sub>"), Markup("<p><sub>{}</sub></p>")
_SIGNS = {
    MediaKind.IMAGE: ("🖼️", later("Picture")),
    MediaKind.VIDEO: ("▶️", later("Video")),
    MediaKind.ANIMATION: ("▶️", later("Animation")),
    MediaKind.AUDIO: ("🔊", later("Sound")),
    MediaKind.FILE: ("📎", later("File")),
}


def name_of(author: Author, limit: int) -> str:
    """What to call an author; never empty."""
    named = (short(one, limit) for one in (author.name, author.handle, author.uri))
    return next((one for one in named if not is_blank(one)), "?")


def _named(author: Author, url: str) -> Span:
    name = name_of(author, _MOST_NAME)
    # Only where it is needed: the isolates are characters like others to whoever copies the name.
    shown = isolate(name) if any(unicodedata.bidirectional(char) in {"R", "AL"} for char in name) else name
    return Span(shown, address(url, SHORT_URL), Role.MENTION, _BOLD)


def byline(author: Author, url: str) -> Written:
    """Who wrote it; name and handle are links, the one to ``url`` and the other to the profile."""
    handle = short(author.handle, _MOST_HANDLE)
    who = [_named(author, url)]
    if not is_blank(handle):
        who += [Span(" "), Span(handle, address(author.url, SHORT_URL), Role.MENTION)]
    return line(who)


def headline(post: Post) -> Written:
    """The title of a post that has one, as a heading that leads to it."""
    return line([Span(short(post.title, _MOST_TITLE), address(post.url, SHORT_URL))], _HEADING)


def warned(warning: str, say: Words) -> Written:
    """A content warning, to be read before what it warns of."""
    if not warning:
        return Written()
    caution = say("Content warning:")
    return line([Span("⚠️ "), Span(caution, marks=_BOLD), Span(f" {short(warning, _MOST_WARNING)}")])


def reason_of(warning: str) -> str:
    """The warning as spoilers bear it, where clients show it again."""
    return quiet(short(warning, _MOST_SPOILER))


def opening(url: str, say: Words) -> Written:
    """In plain alone: where to read what its spoilers cover."""
    target = address(url, SHORT_URL)
    return Written(say("Open it at {address}").format(address=spelled(target))) if target else Written()


def continued(card: Card, say: Words) -> tuple[Span, ...]:
    """Where a text that was cut goes on."""
    url = address(card.unroll, SHORT_URL) or address(card.post.url, SHORT_URL)
    return (Span(say("continue reading"), url),) if url else ()


# --- media ---


def media_lines(all_media: Sequence[Media], say: Words, most: int, *, url: str, hidden: str | None = None) -> Written:
    """Media as links with their descriptions, a line each; of more than there is room for, how many (at ``url``).

    ``hidden``: behind a spoiler for this reason; in plain they are links without descriptions then.
    """
    lines = [media for media in all_media if address(media.link, SHORT_URL) or not is_blank(media.alt)]

    def write(kept: Sequence[Media]) -> Written:
        left = len(lines) - len(kept)
        more = [Span("\n🖼️ "), Span(say.many("{n} more", "{n} more", left), address(url, SHORT_URL))] if left else []
        shown = line([*_media(kept, say, described=True), *more], hidden=hidden)
        told_of = line([*_media(kept, say, described=hidden is None), *more], addresses=True)
        return replace(shown, body=told_of.body)

    return within(lines[:_MOST_LINES], most, write)


def _media(all_media: Sequence[Media], say: Words, *, described: bool) -> Iterator[Span]:
    for index, media in enumerate(all_media):
        sign, kind = _SIGNS[media.kind]
        alt = short(media.alt, _MOST_ALT) if described else ""
        yield Span(f"\n{sign} " if index else f"{sign} ")
        yield Span(say(kind), address(media.link, SHORT_URL))
        yield Span(f": {alt}" if alt else "")


# --- polls, link cards and quotes ---


def poll_lines(poll: Poll, say: Words, most: int, *, hidden: str | None) -> Written:
    """The options of a poll with their shares, and how many voted until when."""
    facts = [count] if (count := turnout(poll, say)) else []
    if poll.closes:
        facts.append(say("closing time {when}").format(when=f"{poll.closes:%Y-%m-%d %H:%M} UTC"))
    said = line([Span(" · ".join(facts))], _SMALL_LINE)
    room = most - said.size - 4

    def write(kept: Sequence[PollOption]) -> Written:
        left = [_item([Span("…")], "•")] if len(kept) < len(poll.options) else []
        items = told((*(_option(one, poll) for one in kept), *left))
        return stacked([written(items, hidden=hidden), said if hidden is None else replace(said, body="")], "\n")

    return within(poll.options[:_MOST_OPTIONS], room, write)


def _option(option: PollOption, poll: Poll) -> Block:
    words = Span(short(option.text, _MOST_OPTION))
    share = poll.share(option)
    if share is None:
        return _item([words], "☐" if poll.multiple else "○")
    return _item([Span(f"{share} %", marks=_BOLD), Span(" "), words], "•")


def _item(spans: Sequence[Span], bullet: str) -> Block:
    return Block(tuple(spans), Form.ITEM, depth=1, bullet=bullet)


def link_line(card: LinkCard, *, hidden: str | None) -> Written:
    """The link of a preview."""
    url = address(card.url, SHORT_URL)
    if not url:
        return Written()
    title = short(card.title, 200)
    return line([Span("🔗 "), Span(short(url, 80) if is_blank(title) else title, url)], hidden=hidden, addresses=True)


def links_to(post: Post) -> frozenset[str]:
    """The addresses that the text of a post leads to."""
    return frozenset(span.link for block in told(bounded(post.body, _READ)) for span in block.spans if span.link)


def quoted(quote: Quote, say: Words, most: int, *, hidden: str | None) -> Written:
    """A quoted post as a quotation; where it may not be shown, a link to it."""
    if quote.author is None:
        return _quotation([line([Span(named(quote, say), address(quote.url, SHORT_URL))], addresses=True)])
    hidden = reason_of(quote.warning) if quote.warning and hidden is None else hidden
    where = Written(spelled(address(quote.url, SHORT_URL)))
    head = [byline(quote.author, quote.url), warned(quote.warning, say)]
    media = media_lines(quote.media[:_MOST_QUOTED], say, most // 3, url=quote.url, hidden=hidden)
    rest = [media if hidden is None else replace(media, body="")]
    if quote.poll:
        rest.append(poll_lines(quote.poll, say, most // 4, hidden=hidden))
    if quote.link_card:
        rest.append(link_line(quote.link_card, hidden=hidden))
    rest.append(where)
    room = most - _quotation([*head, *rest]).size
    return _quotation([*head, fitted(quote.body, min(room, _MOST_QUOTE), hidden=hidden), *rest])


def _quotation(parts: Sequence[Written]) -> Written:
    inner = stacked(parts, "\n")
    body = "\n".join(f"> {each}".rstrip() for each in inner.body.split("\n"))
    return Written(body, f"<blockquote>{inner.html}</blockquote>") if inner else inner


# --- the foot ---


def foot(card: Card, say: Words, *, count: bool) -> Written:
    """Why it is here, where in its thread it stands, and where it leads; ``count``: and how long the thread is so far.

    Of a post with a warning the plain form has told already where it is to be read.
    """
    ways = _ways(card, say, count=count)
    links = line([span for index, way in enumerate(ways) for span in (*_DOT[:index], way)], _BARE)
    why = line([*_why(card, count=count)], _SMALL)
    spelled_out = [Written(f"{way.text}: {spelled(way.link)}") for way in ways if way.link != _read_at(card)]
    lines = "<br>".join(one.html for one in (why, links) if one)
    return Written(stacked([why, *spelled_out], "\n").body, f"<p>{lines}</p>" if lines else "")


def _read_at(card: Card) -> str:
    return address(card.post.url, SHORT_URL) if card.post.warning else ""


def _why(card: Card, *, count: bool) -> Iterator[Span]:
    reason = short(card.reason, _MOST_REASON)
    if not is_blank(reason):
        yield Span(reason)
    if card.thread:
        place = f"🧵 {card.thread.position}/{card.thread.count}" if count else f"🧵 {card.thread.position}"
        yield Span(place if is_blank(reason) else f" · {place}")


def _ways(card: Card, say: Words, *, count: bool) -> list[Span]:
    ways = [Span(say("All of them") if card.own else say("Original"), address(card.post.url, SHORT_URL))]
    if card.thread:
        told_of = say("Unroll ({n})").format(n=card.thread.count) if count else say("Unroll thread")
        ways.insert(0, Span(told_of, address(card.unroll, SHORT_URL)))
    return [way for way in ways if way.link]
