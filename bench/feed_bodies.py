"""Feeds in three habits, generated: a blog's RSS, an Atom feed, a hashtag of Mastodon's; alike for the same numbers."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache
from html import escape

_TEXT = (
    "the a river bridge rope grass weave puna ayllu morning people twist carry stone path snow over under again year "
    "water wind song llama far near told them where it was cold and bright with every hand that knows how to hold"
)
_WORDS = _TEXT.split()
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
BODY = 2_300
"""Characters of an article's HTML."""


def _words(dice: random.Random, count: int) -> str:
    return " ".join(dice.choices(_WORDS, k=count))


@lru_cache(maxsize=64)
def _article(seed: int) -> str:
    """Paragraphs of sixty words; every other one has a link, every third one an emphasis."""
    dice, parts, size = random.Random(seed), list[str](), 0
    while size < BODY:
        number = len(parts)
        link = f' <a href="https://ayllu.example/{seed}/{number}">{_words(dice, 3)}</a>' if number % 2 else ""
        strong = f" <strong>{_words(dice, 2)}</strong>" if number % 3 == 0 else ""
        parts.append(f"<p>{_words(dice, 30)}{link} {_words(dice, 30)}{strong} again.</p>\n")
        size += len(parts[-1])
    return "".join(parts)


@lru_cache(maxsize=64)
def _toot(seed: int) -> str:
    dice = random.Random(seed)
    return (
        f'<p>{_words(dice, 45)} <a href="https://puna.example/tags/bridge" class="mention hashtag" rel="tag">#<span>'
        'bridge</span></a> <span class="h-card" translate="no"><a href="https://puna.example/@sami" '
        'class="u-url mention">@<span>sami</span></a></span></p><p><a href="https://ayllu.example/a/long/path" '
        'target="_blank" rel="nofollow noopener"><span class="invisible">https://</span><span class="ellipsis">'
        f'ayllu.example/a/lo</span><span class="invisible">ng/path</span></a><br />{_words(dice, 8)}</p>'
    )


def _moment(number: int) -> datetime:
    return _BEGIN + timedelta(minutes=number)


def rss(name: str, first: int, count: int) -> bytes:
    """Entries ``first`` … of a WordPress blog, the newest first."""
    items = "".join(
        f"<item><title>Snow on the pass &#8211; {n}</title><link>https://ayllu.example/{name}/{n}/</link>"
        f"<dc:creator><![CDATA[Illa]]></dc:creator><pubDate>{format_datetime(_moment(n))}</pubDate>"
        f'<category><![CDATA[bridge]]></category><guid isPermaLink="false">https://ayllu.example/{name}/?p={n}</guid>'
        f"<description><![CDATA[An extract of number {n}]]></description>"
        f"<content:encoded><![CDATA[<p>Number {n}.</p>{_article(n % 50)}]]></content:encoded></item>"
        for n in range(first + count - 1, first - 1, -1)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel><title>Ayllu</title>'
        f"<link>https://ayllu.example/{name}</link>{items}</channel></rss>"
    ).encode()


def atom(name: str, first: int, count: int) -> bytes:
    entries = "".join(
        f'<entry><title type="html">Snow on the pass {n}</title><link href="https://ayllu.example/{name}/{n}"/>'
        f"<id>tag:ayllu.example,2026:{name}/{n}</id><published>{_moment(n).isoformat()}</published>"
        f"<updated>{_moment(n).isoformat()}</updated><author><name>Illa</name></author><category term='bridge'/>"
        f'<content type="html">{escape(f"<p>Number {n}.</p>" + _article(n % 50))}</content></entry>'
        for n in range(first + count - 1, first - 1, -1)
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom"><title>Ayllu</title>'
        f'<id>tag:ayllu.example,2026:{name}</id><link href="https://ayllu.example/{name}"/>{entries}</feed>'
    ).encode()


def mastodon(name: str, first: int, count: int) -> bytes:
    items = "".join(
        f'<item><guid isPermaLink="true">https://puna.example/@{name}/{n}</guid><link>https://puna.example/@{name}/{n}'
        f"</link><pubDate>{format_datetime(_moment(n))}</pubDate><description>"
        f"{escape(_toot(n % 50) + f'<p>Number {n}</p>')}</description>"
        f'<media:content url="https://media.puna.example/{n}.png" type="image/png" medium="image"><media:rating scheme='
        '"urn:simple">nonadult</media:rating><media:description type="plain">A rope bridge</media:description>'
        "</media:content><category>bridge</category><category>rope</category></item>"
        for n in range(first + count - 1, first - 1, -1)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><rss version="2.0" xmlns:webfeeds="http://webfeeds.org/rss/1.0" '
        'xmlns:media="http://search.yahoo.com/mrss/"><channel><title>#bridge</title><description>Posts</description>'
        f"<link>https://puna.example/tags/{name}</link>{items}</channel></rss>"
    ).encode()


HABITS = {"rss": rss, "atom": atom, "mastodon": mastodon}


@lru_cache(maxsize=4)
def varied(turn: int) -> list[bytes]:
    """Documents of every kind that a relay meets, with other entries at each turn: the ordinary ones are the first."""
    plain = [write(f"feed{number}", turn * 2, 40) for number in range(12) for write in HABITS.values()]
    large = [write("large", turn * 100, 1_000) for write in HABITS.values()]
    odd = [b"<!DOCTYPE rss>" + body.partition(b"?>")[2] for body in plain[:6]]
    long = "<p>Many <b>words</b> were <a href='https://ayllu.example/'>twisted</a> into one rope.</p>" * 2_000
    texts = "".join(f"<item><guid>{turn} {n}</guid><description>{escape(long)}</description></item>" for n in range(5))
    hostile = [
        b"<item><title>x</title></item>" * (6_000 + turn),
        b"<item><author>" + b"a" * (60_000 + turn) + b"</author></item>",
        b"<a>" * (40_000 + turn) + b"</a>" * (40_000 + turn),
        texts.encode(),
    ]
    return [*plain, *large, *odd, *(b"<rss version='2.0'><channel>" + body + b"</channel></rss>" for body in hostile)]
