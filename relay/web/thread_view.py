"""A thread as it is read: one view for the server and for the command line."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice

from relay.i18n import Words, words
from relay.model import Author, Media, Post, Removed, Thread
from relay.records import Page
from relay.text import clean, cut, text_content
from relay.web.labels import kind, warned

_WORDLESS = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO")
"""How the Unicode names of letters begin that are counted one by one, not by the word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadReading:
    """What every rendering of a thread starts from. Unless ``written`` is empty it has a ``first`` post."""

    posts: tuple[Post | Removed, ...]
    asides: tuple[tuple[Post, ...], ...] = ()
    slug: str = ""
    address: str = ""
    """Where this page itself is to be found; empty for a file."""
    looked: datetime | None = None
    updated: datetime | None = None
    more: int = 0
    """Posts besides these, in a list."""
    site: str = "Chasqui"
    """What the relay is called."""
    language: str = "en"
    """What the language of a post is taken for where its author named none."""
    say: Words = field(default_factory=lambda: words("en"))
    """The reader's language: that of all that is not the author's."""

    @classmethod
    def of_page(
        cls, page: Page, *, site: str, language: str = "en", address: str = "", say: Words | None = None
    ) -> ThreadReading:
        """The view of what the store keeps."""
        return cls(
            posts=tuple(_shown(post) for post in page.posts),
            asides=tuple(tuple(_kept(post) for post in chain) for chain in page.asides),
            slug=page.slug,
            address=address,
            looked=page.looked,
            updated=page.updated,
            more=page.more,
            site=site,
            language=language,
            say=say or words("en"),
        )

    @classmethod
    def of_thread(
        cls, thread: Thread, *, now: datetime, site: str, language: str = "en", say: Words | None = None
    ) -> ThreadReading:
        """The view of what a source has just said."""
        return cls(
            posts=tuple(_shown(post) for post in thread.posts),
            asides=tuple(tuple(_kept(post) for post in chain) for chain in thread.asides),
            looked=now,
            site=site,
            language=language,
            say=say or words("en"),
        )

    @property
    def written(self) -> tuple[Post, ...]:
        """The posts that are there to be read."""
        return tuple(post for post in self.posts if isinstance(post, Post))

    @property
    def length(self) -> int:
        """How many posts the thread has."""
        return len(self.written) + self.more

    @property
    def first(self) -> Post:
        return self.written[0]

    @property
    def author(self) -> Author:
        return self.first.author

    @property
    def byline(self) -> str:
        """The author as one line: ``Name (@who@host)``."""
        return byline(self.author)

    @property
    def title(self) -> str:
        """What a link preview is headed with: the author, after the title where there is one."""
        headline = clean(self.first.title)
        return f"{headline} — {self.byline}" if headline else self.byline

    def beginning(self, limit: int) -> str:
        """How the thread begins, on one line, or the warning that stands before it; empty where it has no words."""
        if self.first.warning:
            return warned(self.say, clean(self.first.warning, limit=limit - len(warned(self.say, ""))))
        return clean(text_content(cut(self.first.body, limit)), limit=limit)

    @property
    def summary(self) -> str:
        """What a link preview may say."""
        return self.beginning(200)

    @property
    def headline(self) -> str:
        """What a list of threads says of this one; never empty."""
        media = "".join(kind(self.say, each.kind) for each in self.first.media[:1])
        return clean(self.first.title, limit=140) or self.beginning(140) or media or self.byline

    @property
    def picture(self) -> Media | None:
        """What a link preview may show: the first picture that nobody asked to fold."""
        shown = (post for post in self.written if not (post.sensitive or post.warning))
        return next((media for post in shown for media in post.media if media.picture), None)

    @property
    def answers(self) -> str:
        """The uri or alias of somebody else's post that the thread begins under."""
        names = {name for post in self.written for name in (post.uri, *post.aliases)}
        return "" if self.first is not self.posts[0] or self.first.reply_to in names else self.first.reply_to

    @property
    def minutes(self) -> int:
        """How long the thread takes to read, in whole minutes."""
        return minutes("\n".join(_words(self)))


def byline(author: Author) -> str:
    """A name and, where there is one, the address to find it by, without anything that could turn the line around."""
    name = clean(author.name)
    return f"{name} ({clean(author.handle)})" if author.handle else name


def minutes(text: str) -> int:
    """Reading time in whole minutes, at least one: 265 words a minute, or 500 characters where most are CJK."""
    letters = list(islice(filter(str.isalpha, text), 100))
    if sum(unicodedata.name(letter, "").startswith(_WORDLESS) for letter in letters) * 2 > len(letters):
        return math.ceil(len(text) / 500)
    return max(1, math.ceil(len(text.split()) / 265))


def _words(reading: ThreadReading) -> Iterator[str]:
    for post in (*reading.written, *(post for chain in reading.asides for post in chain)):
        yield text_content(post.body)
        if post.quote:
            yield text_content(post.quote.body)


def _shown(post: Post | Removed) -> Post | Removed:
    return post if isinstance(post, Removed) else _kept(post)


def _kept(post: Post) -> Post:
    """The post without the words of a quoted author who asks not to be kept: the link says where they stand."""
    if post.quote and post.quote.author and post.quote.author.refuses:
        return replace(post, quote=post.quote.silenced())
    return post
