"""What a subscription wants of a topic's posts: language, kind, words, authors; with the reason for each no. Pure.

How many posts of one author are wanted within an hour is not known here: that is asked of
:class:`relay.core.match.Ration`, after everything else.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache, cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from relay.core.hashtag import fold_text
from relay.core.urls import host_of, page
from relay.model import MediaKind, Post, Quote
from relay.options import FILTERS, NO_FILTERS, Filters, Only
from relay.rich import Role, Text

if TYPE_CHECKING:
    from regex import Pattern

LONGEST_PATTERN = 200
_LARGEST_PROGRAM = 1_500
"""Steps of a compiled pattern: with these and the text below, the worst pattern takes some 30 ms."""
_MEMORY = 1 << 20
_SEARCHED = 5_000
"""Characters of a post among which a pattern is looked for."""
_READ = 50_000
"""Characters of a post among which words are looked for."""
_KEPT = 4_096

# Writing without spaces between words: there a word may begin and end anywhere.
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"


class Reading:
    """A post as it is looked at: what is costly to find out of it is found out once, however many ask."""

    def __init__(self, post: Post, now: datetime) -> None:
        self.post = post
        self.now = now

    @cached_property
    def words(self) -> str:
        """All that its readers are shown, one thing a line."""
        return "\n".join(filter(None, _words(self.post)))

    @cached_property
    def folded(self) -> str:
        return fold_text(self.words[:_READ])

    @cached_property
    def beginning(self) -> bytes:
        return self.words[:_SEARCHED].encode(errors="replace")

    @cached_property
    def whose(self) -> frozenset[str]:
        """All by which its author can be blocked: account, addresses, server, and every server above that."""
        author = self.post.author
        handle = author.handle.casefold()
        addresses = [author.uri, author.url, self.post.uri, self.post.url]
        hosts = {host_of(one) for one in addresses} | {_host(handle.rpartition("@")[2])}
        names = {
            handle,
            author.uri,
            page(author.uri),
            page(author.url),
            *(above for one in hosts for above in _above(one)),
        }
        return frozenset(names - {""})

    # --- what filters ask ---

    def is_in(self, languages: tuple[str, ...]) -> bool:
        """``es`` wants ``es`` and ``es-419``; what is in a language that nobody told may be in any."""
        spoken = [one.replace("_", "-").casefold() for one in (self.post.language, *self.post.other_languages)]
        starts = tuple(f"{wanted.casefold()}-" for wanted in languages)
        return any(one in {"", "und"} or f"{one}-".startswith(starts) for one in spoken)

    def is_kind(self, only: Only) -> bool:
        post = self.post
        match only:
            case Only.ALL:
                return True
            case Only.MEDIA:
                return any(media.kind is not MediaKind.FILE for media in post.media)
            case Only.TEXT:
                return not post.media
            case Only.LINKS:
                return post.link_card is not None or _links(post.body)
            case Only.ORIGINALS:
                return not post.reply_to or post.reply_to_author == post.author.uri

    def is_of_account_younger_than(self, least: timedelta) -> bool:
        created = self.post.author.created
        return created is not None and self.now - created < least

    def has_one_of(self, words: tuple[str, ...]) -> bool:
        return any(word in self.folded and found.search(self.folded) for word, found in _searches(words))

    def matches(self, pattern: str) -> bool:
        """A pattern that cannot be used (its library is gone, or an older relay took it) lets everything through."""
        return bool(flaw(pattern)) or _compiled(pattern).search(self.beginning) is not None


def _words(post: Post) -> Iterator[str]:
    yield post.title
    yield from _said(post)
    yield " ".join(f"#{tag}" for tag in post.tags)
    if post.quote:
        yield from _said(post.quote)


def _said(one: Post | Quote) -> Iterator[str]:
    yield one.warning
    yield from _lines(one.body)
    yield from (media.alt for media in one.media)
    if one.poll:
        yield from (option.text for option in one.poll.options)
    if one.link_card:
        yield one.link_card.title
        yield one.link_card.description


def _lines(text: Text) -> Iterator[str]:
    return ("".join(span.text for span in block.spans) for block in text)


def _host(text: str) -> str:
    """A server's name as it is compared: without its port, in ASCII."""
    return host_of(f"https://{text}") if text else ""


def _above(host: str) -> Iterator[str]:
    """``a.b.c``, ``b.c``, ``c``."""
    while host:
        yield host
        host = host.partition(".")[2]


# --- the reason for each no ---

_ASKED = [
    (name, one.default, one.passes)
    for name, one in sorted(FILTERS.items(), key=lambda named: named[1].searches)
    if one.passes
]


def is_set(wanted: Filters) -> bool:
    """Whether only some of a topic's posts are wanted."""
    return wanted is not NO_FILTERS and wanted != NO_FILTERS


def objection(wanted: Filters, reading: Reading) -> str | None:
    """The name of the first filter that keeps the post back; None: it is wanted."""
    if wanted is NO_FILTERS:
        return None
    for name, default, passes in _ASKED:
        value = getattr(wanted, name)
        if value != default and not passes(value, reading):
            return name
    return None


def _links(body: Text) -> bool:
    """Whether there is a link to somewhere; those of hashtags, mentions and mail addresses do not count."""
    spans = (span for block in body for span in block.spans if span.role is Role.TEXT)
    return any(span.link.startswith("http") for span in spans)


# --- words ---


@lru_cache(maxsize=_KEPT)
def _searches(words: tuple[str, ...]) -> tuple[tuple[str, Pattern[str]], ...]:
    import regex  # 5 MB, and only who looks for words needs it

    folded = dict.fromkeys(fold_text(word) for word in words)
    return tuple((word, regex.compile(_bounded(word), regex.V1)) for word in folded if word)


@cache
def _spaced() -> Pattern[str]:
    import regex

    return regex.compile(rf"[\w--[{_UNSPACED}]]", regex.V1)


def _bounded(word: str) -> str:
    """The word where it stands alone. The word comes first, to be looked for as it is."""
    import regex

    literal, spaced = regex.escape(word, special_only=True, literal_spaces=True), _spaced()
    before = rf"(?<![\w--[{_UNSPACED}]]{literal})" if spaced.match(word[0]) else ""
    after = rf"(?![\w--[{_UNSPACED}]])" if spaced.match(word[-1]) else ""
    return literal + before + after


# --- patterns ---


@cache
def _re2() -> Any:
    """google-re2: 2 MB, and only patterns need it. None on systems without a wheel of it: they go without patterns."""
    try:
        import re2  # type: ignore[import-untyped]  # it ships no types
    except ImportError:
        return None
    return re2


def flaw(pattern: str) -> str:
    """What is wrong with a pattern, for people; empty: it can be used."""
    re2 = _re2()
    if re2 is None:
        return "patterns need the library google-re2; run: pip install google-re2"
    if len(pattern) > LONGEST_PATTERN:
        return f"it is too long: {LONGEST_PATTERN} characters at most"
    try:
        compiled = _compiled(pattern)
    except re2.error as error:
        return _told(error)
    except UnicodeError:
        return "it is no text"
    return "it is too large; write it with fewer repetitions" if compiled.programsize > _LARGEST_PROGRAM else ""


def _told(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    text = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    return "it is too large; write it with fewer repetitions" if "too large" in text else text


@lru_cache(maxsize=_KEPT)
def _compiled(pattern: str) -> Any:
    """The pattern as RE2 has it, which takes time in proportion to the text, whatever both of them are."""
    re2 = _re2()
    options = re2.Options()
    options.case_sensitive = False
    options.never_capture = True
    options.log_errors = False
    options.max_mem = _MEMORY
    return re2.compile(pattern, options)
