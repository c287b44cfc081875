"""What a card says, piece by piece, as drafts. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

from adapters.telegram.entities import Draft, joined
from adapters.telegram.limits import address
from adapters.telegram.prose import drafted, fitted, foreign, linked, quotation
from relay.card import quoted as named
from relay.card import turnout
from relay.i18n import Words, later
from relay.model import Author, Card, LinkCard, Media, MediaKind, Poll, PollOption, Post, Quote
from relay.rich import Role
from relay.text import isolate, short, units

_BAR = 10
_MOST_NAME, _MOST_HANDLE, _MOST_TITLE, _MOST_REASON = 80, 100, 240, 160
_MOST_QUOTE, _MOST_OPTIONS, _MOST_LINES = 900, 12, 12
_SIGNS = {
    MediaKind.IMAGE: ("🖼", later("Picture")),
    MediaKind.VIDEO: ("▶️", later("Video")),
    MediaKind.ANIMATION: ("▶️", later("Animation")),
    MediaKind.AUDIO: ("🔊", later("Sound")),
    MediaKind.FILE: ("📎", later("File")),
}


def hidden(draft: Draft, *, folded: bool) -> Draft:
    """Behind a spoiler, where it is to be folded."""
    return draft.marked("spoiler") if folded and draft else draft


def name_of(author: Author, limit: int) -> str:
    """What to call an author; never empty."""
    named = (short(one, limit) for one in (author.name, author.handle, author.uri))
    return next((one for one in named if Draft(one)), "?")


def _named(author: Author, url: str) -> Draft:
    name = name_of(author, _MOST_NAME)
    # Only where it is needed: the isolates are characters like others to whoever copies the name.
    shown = isolate(name) if any(unicodedata.bidirectional(char) in {"R", "AL"} for char in name) else name
    return linked(shown, url).marked("bold")


def byline(author: Author, url: str) -> Draft:
    """Who wrote it; the handle is a link too, so that it is no Telegram user's name."""
    handle = short(author.handle, _MOST_HANDLE)
    return joined([_named(author, url), linked(handle, author.url, Role.MENTION) if handle else Draft()], " ")


def headline(post: Post) -> Draft:
    """The title of a post that has one, as a link to it."""
    title = short(post.title, _MOST_TITLE)
    return linked(title, post.url).marked("bold") if title else Draft()


def warned(warning: str, say: Words) -> Draft:
    """A content warning, to be read before what it warns of."""
    if not warning:
        return Draft()
    return Draft("⚠️ ") + Draft(say("Content warning:")).marked("bold") + " " + foreign(short(warning, 300))


def continued(card: Card, say: Words) -> Draft:
    """Where a text that was cut goes on."""
    url = card.unroll if address(card.unroll) else card.post.url
    return linked(say("continue reading"), url) if address(url) else Draft()


# --- media ---


def media_lines(all_media: Sequence[Media], say: Words, *, folded: bool) -> Draft:
    """Media as links with their descriptions, a line each."""
    return joined((_media_line(media, say, folded=folded) for media in all_media[:_MOST_LINES]), "\n")


def _media_line(media: Media, say: Words, *, folded: bool) -> Draft:
    sign, kind = _SIGNS[media.kind]
    alt = short(media.alt, 160)
    if not address(media.link) and not alt:
        return Draft()
    words = linked(say(kind), media.link)
    return Draft(f"{sign} ") + hidden(words + ": " + foreign(alt) if alt else words, folded=folded)


def more_media(count: int, url: str, say: Words) -> Draft:
    """How many more there are than an album holds."""
    return Draft("🖼 ") + linked(say.many("{n} more", "{n} more", count), url) if count else Draft()


def descriptions(all_media: Sequence[Media], room: int, *, folded: bool) -> Draft:
    """The descriptions of what is shown, in a quotation that can be unfolded: Telegram has no other place for them."""
    told = [(number, media) for number, media in enumerate(all_media, 1) if Draft(media.alt)]
    each, several = room // max(1, len(told)) - 12, len(all_media) > 1
    text = Draft()
    while each > 20 and (text.size > room or not text):  # a second time only where many joiners will stand in it
        lines = (_description(f"{number}. " if several else "", media, each) for number, media in told)
        text = joined(lines, "\n")
        each = each * 9 // 10
    if not text or text.size > room:
        return Draft()
    return hidden(text, folded=folded).marked("expandable_blockquote")


def _description(number: str, media: Media, limit: int) -> Draft:
    return Draft(f"{_SIGNS[media.kind][0]} {number}") + foreign(short(media.alt, limit))


def described_units(all_media: Sequence[Media]) -> int:
    """How much all that is described would take."""
    return sum(units(media.alt) + 12 for media in all_media if media.alt)


# --- polls, link cards and quotes ---


def poll_lines(poll: Poll, say: Words, *, folded: bool) -> Draft:
    """The options of a poll with their shares, and how many voted until when."""
    lines = [_option(option, poll, folded=folded) for option in poll.options[:_MOST_OPTIONS]]
    facts = [count] if (count := turnout(poll, say)) else []
    if poll.closes:
        facts.append(say("closing time {when}").format(when=f"{poll.closes:%Y-%m-%d %H:%M} UTC"))
    return joined([*lines, Draft(" · ".join(facts)).marked("italic")], "\n")


def _option(option: PollOption, poll: Poll, *, folded: bool) -> Draft:
    words = hidden(foreign(short(option.text, 120)), folded=folded)
    share = poll.share(option)
    if share is None:
        return Draft("☐ " if poll.multiple else "○ ") + words
    return Draft(f"{_bar(share)} ") + Draft(f"{share} %").marked("bold") + " " + words


def _bar(share: int) -> str:
    full = round(share * _BAR / 100)
    return "▰" * full + "▱" * (_BAR - full)


def link_line(card: LinkCard, *, folded: bool) -> Draft:
    """The link of a preview that is not shown."""
    if not address(card.url):
        return Draft()
    return Draft("🔗 ") + hidden(linked(short(card.title, 200) or short(card.url, 80), card.url), folded=folded)


def quoted(quote: Quote, say: Words, *, folded: bool) -> Draft:
    """A quoted post as a quotation; where it may not be shown, a link to it."""
    if quote.author is None:
        words = named(quote, say)
        return quotation(linked(words, quote.url) if address(quote.url) else Draft(words))
    folded = folded or bool(quote.warning)
    body = hidden(fitted(quote.body, _MOST_QUOTE, quoted=True), folded=folded)
    head = [byline(quote.author, quote.url), warned(quote.warning, say)]
    return quotation(joined([*head, body, *_beside(quote, say, folded=folded)], "\n"))


def _beside(quote: Quote, say: Words, *, folded: bool) -> Iterator[Draft]:
    """What a quoted post has beside its text, in a few lines."""
    yield media_lines(quote.media[:4], say, folded=folded)
    if quote.poll:
        yield joined([_option(option, quote.poll, folded=folded) for option in quote.poll.options[:4]], "\n")
    if quote.link_card:
        yield link_line(quote.link_card, folded=folded)


# --- the foot ---


def foot(card: Card, *, count: bool) -> Draft:
    """Why it is here, and where in its thread it stands; ``count``: and how long that is so far."""
    place = ""
    if card.thread:
        place = f"🧵 {card.thread.position}/{card.thread.count}" if count else f"🧵 {card.thread.position}"
    return joined([foreign(short(card.reason, _MOST_REASON)), Draft(place)], " · ").marked("italic")


def links_to(post: Post) -> frozenset[str]:
    """The addresses that the text of a post leads to."""
    return frozenset(mark.url for mark in drafted(post.body).marks if mark.url)
