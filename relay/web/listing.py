"""A list of threads as it is shown, and as a feed: the latest, those on a hashtag, by an author, in a digest. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from relay.core.consent import Showing
from relay.i18n import Words, words
from relay.model import Post
from relay.records import Page
from relay.text import clean
from relay.web.thread_view import ThreadReading, byline


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """A thread whose words are not shown: who wrote it, when, and where it can be read."""

    name: str
    headline: str = ""
    published: datetime
    url: str


Entry = ThreadReading | Original


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """``entries`` come newest first. Addresses are absolute; an empty one: there is none."""

    title: str
    lead: str = ""
    entries: tuple[Entry, ...] = ()
    more: int = 0
    """Threads of which nothing is shown but that they are there."""
    address: str
    """Where the list itself stands."""
    older: str = ""
    """The query that leads to what came before."""
    feed: str = ""
    """The path of its feeds without their endings, below the site's top; empty: it has none."""
    site: str = "Chasqui"
    say: Words = field(default_factory=lambda: words("en"))
    """The reader's language."""

    @property
    def readings(self) -> tuple[ThreadReading, ...]:
        return tuple(entry for entry in self.entries if isinstance(entry, ThreadReading))

    @property
    def updated(self) -> datetime:
        """When the newest of it was written."""
        return max((one.updated for one in self.readings if one.updated), default=datetime(1970, 1, 1, tzinfo=UTC))


def entries(
    pages: Iterable[Page], shown: Callable[[Page], Showing], reading: Callable[[Page], ThreadReading]
) -> tuple[Entry, ...]:
    """What a list shows of these threads; of some nothing."""
    return tuple(entry for page in pages if (entry := _entry(page, shown(page), reading)))


def _entry(page: Page, shown: Showing, reading: Callable[[Page], ThreadReading]) -> Entry | None:
    if shown is Showing.THREAD:
        return reading(page)
    if shown not in (Showing.HEADLINE, Showing.LINK):
        return None
    first = next(post for post in page.posts if isinstance(post, Post))
    headline = clean(first.title) if shown is Showing.HEADLINE else ""
    return Original(name=clean(first.author.name), headline=headline, published=first.published, url=first.url)


# --- feeds ---


def json_feed(listing: Listing) -> str:
    """The list as a JSON Feed 1.1 (jsonfeed.org/version/1.1)."""
    told = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": f"{listing.title} — {listing.site}",
        "home_page_url": listing.address,
        "items": [_json_item(reading) for reading in listing.readings],
    }
    return json.dumps(told, ensure_ascii=False, indent=1)


def _json_item(reading: ThreadReading) -> dict[str, object]:
    author = {"name": byline(reading.author), "url": reading.author.url or None}
    return {
        "id": reading.address,
        "url": reading.address,
        "external_url": reading.first.url,
        "title": reading.headline,
        "content_text": reading.summary,
        "date_published": iso(reading.first.published),
        "date_modified": iso(reading.updated or reading.first.published),
        "authors": [{name: value for name, value in author.items() if value}],
        "language": reading.first.language or reading.language,
    }


def iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def feeds_of(listing: Listing) -> Sequence[tuple[str, str]]:
    """The feeds of a list: their paths below the site's top, and their media types."""
    if not listing.feed:
        return ()
    return (f"{listing.feed}.atom", "application/atom+xml"), (f"{listing.feed}.json", "application/feed+json")
