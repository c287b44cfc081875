"""What the stage serves besides the API: a newspaper's RSS 2.0 feed, and plain pages behind the links of the posts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from html import escape

from relay.demo.stage.entities import Json

_STYLE = (
    ":root{color-scheme:light dark;font:1.05rem/1.55 system-ui,sans-serif}"
    "body{max-width:38rem;margin:2rem auto;padding:0 1rem}"
    "article{padding:.6rem 0;border-top:1px solid #8886}img{max-width:100%;height:auto}.invisible{display:none}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A piece of news; ``name`` is what the script calls it and the end of its address."""

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


def page(title: str, articles: Sequence[str]) -> str:
    """A page for people."""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<meta name="robots" content="noindex"><title>{escape(title)}</title><style>{_STYLE}</style>'
        f"<h1>{escape(title)}</h1>{''.join(articles)}</html>"
    )


def article(status: Json) -> str:
    """A post as it stands on such a page."""
    pictures = "".join(
        f'<p><img src="{media["url"]}" alt="{escape(media["description"])}"></p>'
        for media in status["media_attachments"]
    )
    body = f'<div dir="auto" lang="{status["language"]}">{status["content"]}</div>{pictures}'
    if status["spoiler_text"]:
        body = f"<details><summary>{escape(status['spoiler_text'])}</summary>{body}</details>"
    return (
        f"<article><b><bdi>{escape(status['account']['display_name'])}</bdi></b> · "
        f'<a href="{status["url"]}">{status["created_at"][:16].replace("T", " ")} UTC</a>{body}</article>'
    )


def news(printed: Printed) -> str:
    """An item as it stands on such a page."""
    return f"<article>{printed.at:%Y-%m-%d %H:%M} UTC<p>{escape(printed.item.text)}</p></article>"
