"""A card as sections of rich text, in the order of reading; a platform only writes them in its markup. Pure.

What a post is made of is put into words here and nowhere else: a new kind of content is a new section, or a new line in
one, and shows everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from urllib.parse import urlsplit

from relay.i18n import Words, later
from relay.model import Author, Card, LinkCard, Media, MediaKind, Poll, PollOption, Post, Quote, QuoteState
from relay.phrases import line
from relay.rich import Block, Form, Role, Span, SpanStyle, Text
from relay.text import directed, is_blank, short, web_address
from relay.text.addresses import bare

_MOST_NAME, _MOST_HANDLE, _MOST_TITLE, _MOST_WARNING, _MOST_REASON = 80, 100, 240, 300, 160
_MOST_LINK, _MOST_ADDRESS, _MOST_ABOUT = 200, 80, 240
_MOST_QUOTED = 4
"""Of a quoted post: its media, and the options of its poll."""
_BAR = 10
_TIME = "%Y-%m-%d %H:%M UTC"
_SIGNS = {
    MediaKind.IMAGE: ("🖼️", later("Picture")),
    MediaKind.VIDEO: ("▶️", later("Video")),
    MediaKind.ANIMATION: ("▶️", later("Animation")),
    MediaKind.AUDIO: ("🔊", later("Sound")),
    MediaKind.FILE: ("📎", later("File")),
}
_QUOTED = {
    QuoteState.ACCEPTED: later("A quoted post"),
    QuoteState.PENDING: later("A quoted post (its author has not approved the quote yet)"),
    QuoteState.WITHDRAWN: later("A quoted post (its author did not allow the quote)"),
    QuoteState.DELETED: later("A quoted post (deleted)"),
    QuoteState.HIDDEN: later("A quoted post (not available here)"),
}


class SectionKind(StrEnum):
    """What a section tells, in the order of reading."""

    BYLINE = "byline"
    HEADLINE = "headline"
    WARNING = "warning"
    BODY = "body"
    MEDIA = "media"
    POLL = "poll"
    LINK = "link"
    QUOTE = "quote"
    FOOT = "foot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One part of a card; a line in it is a block, and the sign before it the block's ``bullet`` (at depth 0)."""

    kind: SectionKind
    text: Text = ()
    hidden: str | None = None
    """Why it is folded, for people; None: it is not. The words that are then hidden are marked, a body is whole."""
    inner: tuple[Section, ...] = ()
    """What a quoted post is made of."""
    url: str = ""
    """Of a quoted post: where it can be read."""

    @property
    def folded(self) -> bool:
        return self.hidden is not None

    @property
    def is_empty(self) -> bool:
        return not (self.text or self.inner)


@dataclass(frozen=True, slots=True, kw_only=True)
class Canvas:
    """What a place shows of a card, and in which language."""

    say: Words
    address: Callable[[str], str] = web_address
    """The address as a link there; "" where it cannot be one."""
    previews: bool = False
    """The place shows previews of links by itself."""
    hosts: bool = False
    """The host of a linked page is told: the place does not show where a link leads."""
    media_last: bool = False
    """The media are told of below everything else."""
    count: bool = True
    """The foot tells how long the thread is so far."""
    alt: int = 160
    option: int = 120
    options: int = 12
    lines: int = 12
    """What descriptions and answers may be long, and how many answers and media are told of."""
    signs: Mapping[str, str] = field(default_factory=dict)
    """What stands in the place of a sign."""

    def sign(self, sign: str) -> str:
        """A sign as the place shows it."""
        return self.signs.get(sign, sign)


def sections(card: Card, canvas: Canvas, *, media: Sequence[Media] | None = None, more: int = 0) -> tuple[Section, ...]:
    """What the card says from top to bottom, without what is empty.

    ``media`` are those to be told of (all of them), ``more`` how many there are besides that are only counted.
    """
    post, say = card.post, canvas.say
    folded = "" if post.warning else None
    head = [
        Section(kind=SectionKind.BYLINE, text=byline(post.author, post.author.url)),
        Section(kind=SectionKind.HEADLINE, text=headline(post)),
        Section(kind=SectionKind.WARNING, text=warned(post.warning, canvas)),
        Section(kind=SectionKind.BODY, text=post.body, hidden=post.warning or None),
    ]
    told = post.media if media is None else media
    hidden = say("sensitive") if post.sensitive and folded is None else folded
    shown = media_section(told, canvas, hidden=hidden, more=more, url=post.url)
    below = [poll_section(post.poll, canvas, hidden=folded), link_section(post, canvas, hidden=folded)]
    below.append(quote_section(post.quote, canvas, hidden=folded))
    below = [*below, shown] if canvas.media_last else [shown, *below]
    return tuple(one for one in (*head, *below, foot(card, count=canvas.count)) if not one.is_empty)


# --- who, what, and with which warning ---


def name_of(author: Author, limit: int) -> str:
    """What to call an author; never empty."""
    named = (short(one, limit) for one in (author.name, author.handle, author.uri))
    return next((one for one in named if not is_blank(one)), "?")


def byline(author: Author, url: str) -> Text:
    """Who wrote it: the name, which leads to ``url``, and the handle, which leads to the profile."""
    name = Span(directed(name_of(author, _MOST_NAME)), url, marks=(SpanStyle.BOLD,))
    handle = short(author.handle, _MOST_HANDLE)
    more = () if is_blank(handle) else (Span(" "), Span(handle, author.url, Role.MENTION))
    return (Block((name, *more)),)


def headline(post: Post) -> Text:
    """The title of a post that has one, as a heading that leads to it."""
    title = short(post.title, _MOST_TITLE)
    return () if is_blank(title) else (Block((Span(title, post.url),), Form.HEADING),)


def warned(warning: str, canvas: Canvas) -> Text:
    """A content warning, to be read before what it warns of."""
    if not warning:
        return ()
    caution = Span(canvas.say("Content warning:"), marks=(SpanStyle.BOLD,))
    return (Block((Span(f"{canvas.sign('⚠️')} "), caution, Span(f" {short(warning, _MOST_WARNING)}"))),)


def onward(card: Card, canvas: Canvas) -> tuple[Span, ...]:
    """Where a text that was cut goes on."""
    url = canvas.address(card.unroll) or canvas.address(card.post.url)
    return (Span(canvas.say("continue reading"), url),) if url else ()


# --- media ---


def sign_of(kind: MediaKind) -> str:
    return _SIGNS[kind][0]


def described(media: Media, limit: int, say: Words) -> str:
    """The description of a picture or its preview, for those who do not see it."""
    return short(media.alt, limit) or say("Picture without a description")


def media_section(
    all_media: Sequence[Media], canvas: Canvas, *, hidden: str | None, more: int = 0, url: str = ""
) -> Section:
    """Media as links with their descriptions, a line each; how many ``more`` there are (at ``url``) in the last."""
    found = (_media(one, canvas, folded=hidden is not None) for one in all_media)
    lines = [one for one in found if one]
    if left := more + len(lines[canvas.lines :]):
        lines[canvas.lines :] = [more_media(left, url, canvas)]
    return Section(kind=SectionKind.MEDIA, text=tuple(lines), hidden=hidden)


def more_media(count: int, url: str, canvas: Canvas) -> Block:
    """How many more there are than are told of."""
    words = Span(canvas.say.many("{n} more", "{n} more", count), canvas.address(url))
    return _signed(canvas, sign_of(MediaKind.IMAGE), [words])


def _media(media: Media, canvas: Canvas, *, folded: bool) -> Block | None:
    sign, kind = _SIGNS[media.kind]
    url, alt = canvas.address(media.link), short(media.alt, canvas.alt)
    if not url and is_blank(alt):
        return None
    spans = [Span(canvas.say(kind), url), *([] if is_blank(alt) else [Span(f": {alt}")])]
    return _signed(canvas, sign, spans if not folded else _hidden(spans))


def _signed(canvas: Canvas, sign: str, spans: Iterable[Span]) -> Block:
    return Block(tuple(spans), Form.ITEM, bullet=canvas.sign(sign))


def _hidden(spans: Iterable[Span]) -> list[Span]:
    return [replace(span, marks=(SpanStyle.SPOILER, *span.marks)) for span in spans]


# --- polls ---


def poll_section(poll: Poll | None, canvas: Canvas, *, hidden: str | None) -> Section:
    """The options of a poll with their shares, and how many voted until when."""
    if poll is None:
        return Section(kind=SectionKind.POLL)
    options = [_option(one, poll, canvas, folded=hidden is not None) for one in poll.options[: canvas.options]]
    options += [_signed(canvas, "•", [Span("…")])] if len(poll.options) > canvas.options else []
    facts = poll_facts(poll, canvas.say)
    note = (Block(facts, Form.NOTE),) if facts else ()
    return Section(kind=SectionKind.POLL, text=(*options, *note), hidden=hidden)


def _option(option: PollOption, poll: Poll, canvas: Canvas, *, folded: bool) -> Block:
    words = [Span(short(option.text, canvas.option))]
    words = _hidden(words) if folded else words
    share = poll.share(option)
    if share is None:
        return _signed(canvas, "☐" if poll.multiple else "○", words)
    full = round(share * _BAR / 100)
    bar = "▰" * full + "▱" * (_BAR - full)
    return _signed(canvas, bar, [Span(f"{share} %", marks=(SpanStyle.BOLD,)), Span(" "), *words])


def poll_facts(poll: Poll, say: Words) -> tuple[Span, ...]:
    """What there is to know of a poll beside its options."""
    facts: list[tuple[Span, ...]] = [(Span(count),)] if (count := turnout(poll, say)) else []
    if poll.closes:
        facts.append(line(say("closes {when}"), when=moment(poll.closes)).spans)
    return tuple(_between(facts, Span(" · ")))


def turnout(poll: Poll, say: Words) -> str:
    """How many voted, or how many votes there are where nobody counts people; empty where neither is told."""
    if poll.voters is not None:
        return say.many("{n} voter", "{n} voters", poll.voters)
    return "" if poll.votes is None else say.many("{n} vote", "{n} votes", poll.votes)


def _between(parts: Iterable[Sequence[Span]], mark: Span) -> Iterator[Span]:
    for index, part in enumerate(parts):
        yield from (mark, *part) if index else part


def moment(when: datetime) -> Span:
    """A time, which a place may show in its reader's own zone (:func:`time_of`)."""
    return Span(f"{when.astimezone(UTC):{_TIME}}", role=Role.TIME)


def time_of(span: Span) -> datetime | None:
    """The time that a :func:`moment` tells, to the minute; None: it is none."""
    try:
        return datetime.strptime(span.text, _TIME).replace(tzinfo=UTC) if span.role is Role.TIME else None
    except ValueError:
        return None


# --- the preview of a link ---


def link_section(of: Post | Quote, canvas: Canvas, *, hidden: str | None) -> Section:
    """The preview that the network made of a link; nothing where the place makes its own and the text has the link."""
    card = of.link_card
    url = canvas.address(card.url) if card else ""
    if card is None or not (url or (card.title and not canvas.previews)):
        return Section(kind=SectionKind.LINK)
    if canvas.previews and url in _links_of(of.body, canvas):
        return Section(kind=SectionKind.LINK)
    text = _link(card, url, canvas, folded=hidden is not None)
    return Section(kind=SectionKind.LINK, text=text, hidden=hidden)


def _link(card: LinkCard, url: str, canvas: Canvas, *, folded: bool) -> Text:
    title = short(card.title, _MOST_LINK)
    host = urlsplit(web_address(card.url)).netloc.removeprefix("www.")
    hide = _hidden if folded else list
    if canvas.previews:
        return (_signed(canvas, "🔗", hide([Span(short(url, _MOST_ADDRESS) if is_blank(title) else title, url)])),)
    named = _signed(canvas, "🔗", hide([Span(host if is_blank(title) else title, url, marks=(SpanStyle.BOLD,))]))
    about = short(card.description, _MOST_ABOUT)
    notes = [hide([Span(about)])] if about else []
    notes += [[Span(host)]] if host and canvas.hosts and not folded else []
    return (named, *(Block(tuple(note), Form.NOTE) for note in notes))


def _links_of(text: Text, canvas: Canvas) -> frozenset[str]:
    """The addresses that a text leads to, and those that stand in it."""
    spans = [span for block in text for span in block.spans]
    written = (span.text[slice(*place)] for span in spans if "://" in span.text for place in bare(span.text))
    return frozenset(map(canvas.address, [*(span.link for span in spans if span.link), *written]))


# --- a quoted post ---


def quote_section(quote: Quote | None, canvas: Canvas, *, hidden: str | None) -> Section:
    """A quoted post; where it may not be shown, a link to it."""
    if quote is None:
        return Section(kind=SectionKind.QUOTE)
    if quote.author is None:
        words = Span(quoted(quote, canvas.say), canvas.address(quote.url))
        return Section(kind=SectionKind.QUOTE, text=(Block((words,)),), hidden=hidden, url=quote.url)
    hidden = (quote.warning or None) if hidden is None else hidden
    few = replace(canvas, options=_MOST_QUOTED)
    folded = canvas.say("sensitive") if quote.sensitive and hidden is None else hidden
    inner = (
        Section(kind=SectionKind.BYLINE, text=byline(quote.author, quote.url)),
        Section(kind=SectionKind.WARNING, text=warned(quote.warning, canvas)),
        Section(kind=SectionKind.BODY, text=quote.body, hidden=hidden),
        media_section(quote.media[:_MOST_QUOTED], few, hidden=folded),
        poll_section(quote.poll, few, hidden=hidden),
        link_section(quote, replace(few, previews=True), hidden=hidden),
    )
    shown = tuple(one for one in inner if not one.is_empty)
    return Section(kind=SectionKind.QUOTE, inner=shown, hidden=hidden, url=quote.url)


def quoted(quote: Quote, say: Words) -> str:
    """What stands for a quoted post whose words are not shown."""
    return say(_QUOTED[quote.state])


# --- the foot, and where the card leads ---


def foot(card: Card, *, count: bool) -> Section:
    """Why it is here, and where in its thread it stands; ``count``: and how long that is so far."""
    facts = [] if is_blank(reason := short(card.reason, _MOST_REASON)) else [reason]
    if card.thread:
        facts.append(f"🧵 {card.thread.position}/{card.thread.count}" if count else f"🧵 {card.thread.position}")
    return Section(kind=SectionKind.FOOT, text=(Block((Span(" · ".join(facts)),), Form.NOTE),) if facts else ())


def ways(card: Card, canvas: Canvas) -> tuple[Span, ...]:
    """Where the card leads: the page of its thread, and the original."""
    say = canvas.say
    found = [Span(say("All of them") if card.own else say("Original"), canvas.address(card.post.url))]
    if card.thread:
        label = say("Unroll ({n})").format(n=card.thread.count) if canvas.count else say("Unroll thread")
        found.insert(0, Span(label, canvas.address(card.unroll)))
    return tuple(way for way in found if way.link)
