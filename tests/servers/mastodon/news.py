"""A newspaper's RSS 2.0 feed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from html import escape


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A piece of news; ``name`` is the end of its address."""

    name: str
    title: str
    text: str
    ago: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Printed:
    """An item that was published; ``url`` is its link and its guid."""

    item: Item
    url: str
    at: datetime


def rss(title: str, base: str, address: str, items: Iterable[Printed]) -> str:
    """An RSS 2.0 document (rssboard.org/rss-specification), newest item first; HTML in descriptions is escaped text."""
    entries = "".join(
        f"<item><title>{escape(item.title)}</title><link>{url}</link>"
        f'<guid isPermaLink="true">{url}</guid><pubDate>{format_datetime(at, usegmt=True)}</pubDate>'
        f"<description>{escape(f'<p>{escape(item.text)}</p>')}</description></item>\n"
        for item, url, at in ((printed.item, printed.url, printed.at) for printed in items)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom"><channel>\n'
        f"<title>{escape(title)}</title><link>{base}/</link><description>{escape(title)}: news of an invented town"
        f'</description><language>en</language><atom:link href="{address}" rel="self" type="application/rss+xml"/>\n'
        f"{entries}</channel></rss>\n"
    )
