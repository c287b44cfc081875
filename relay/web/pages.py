"""The HTML pages. Templates decide how things look; what there is to see comes from :mod:`relay.web.thread_view`."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache, partial
from importlib import resources
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from markupsafe import Markup, escape

from relay.card import link_section, poll_facts, poll_section, quoted, time_of
from relay.i18n import Words, words
from relay.model import Poll, Post, Quote
from relay.text import clean, safe_url, text_content
from relay.web.labels import canvas, day, kind, moment, nameless, posts, warned
from relay.web.listing import Listing, feeds_of, iso
from relay.web.markup import REL, html
from relay.web.site import Site
from relay.web.thread_view import ThreadReading, byline

if TYPE_CHECKING:
    from jinja2 import Environment

_SOURCES = "default-src 'none'; img-src https: http: data:; media-src https: http:; base-uri 'none'; form-action 'none'"
POLICY = f"{_SOURCES}; style-src 'self'; frame-ancestors 'none'"
"""The Content-Security-Policy of every page: pictures and sounds from where their authors put them, nothing else."""


@cache
def style() -> str:
    """The one style sheet."""
    return resources.files("relay.web").joinpath("static/style.css").read_text("utf-8")


@cache
def style_version() -> str:
    return hashlib.sha256(style().encode()).hexdigest()[:12]


NOBODY = "noindex, noarchive"
"""What crawlers are told of everything that no author gave to search engines."""


Links = Sequence[tuple[str, str, str]]
"""Relation, media type and address of each."""


def thread_page(
    reading: ThreadReading, site: Site, *, root: str, listed: bool = False, links: Links = (), robots: str = NOBODY
) -> str:
    """The page of a thread; ``root`` is the relative address of the site's top. ``listed``: its author has a list."""
    template = _environment(reading.say.tag).get_template("thread.html")
    return template.render(reading=reading, site=site, listed=listed, links=links, **_served(root, robots))


def page_html(reading: ThreadReading) -> str:
    """The page of a thread as a file of its own: with its style in it, and without addresses on a relay."""
    digest = base64.b64encode(hashlib.sha256(style().encode()).digest()).decode()
    template = _environment(reading.say.tag).get_template("thread.html")
    policy = f"{_SOURCES}; style-src 'sha256-{digest}'"
    return template.render(
        reading=reading, site=Site(), listed=False, links=(), robots=NOBODY, root="", css=style(), policy=policy
    )


def article_html(reading: ThreadReading) -> str:
    """The thread's words alone, for a book: no pictures, no styles."""
    return _environment(reading.say.tag).get_template("book.html").render(reading=reading)


def index_page(listing: Listing, site: Site, *, followed: Sequence[str], root: str) -> str:
    """The front page: what this place is, where to join, which hashtags are followed, and the latest threads."""
    template = _environment(listing.say.tag).get_template("index.html")
    return template.render(listing=listing, site=site, followed=followed, **_served(root))


def list_page(listing: Listing, *, root: str) -> str:
    """The page of a list of threads."""
    return _environment(listing.say.tag).get_template("list.html").render(listing=listing, **_served(root))


def privacy_page(site: Site, *, language: str, root: str) -> str:
    """What is kept and how to take it back, in plain words, in English or Spanish."""
    template = _environment(language).get_template(f"privacy.{language}.html")
    return template.render(site=site, **_served(root))


def message_page(title: str, text: str, say: Words, *, site: str, root: str, link: str = "") -> str:
    """A page that says one thing, with at most one link out: to the original."""
    template = _environment(say.tag).get_template("message.html")
    return template.render(title=title, text=text, site=site, link=link, **_served(root))


def _served(root: str, robots: str = NOBODY) -> dict[str, str]:
    return {"root": root, "version": style_version(), "css": "", "policy": "", "robots": robots}


@cache
def _environment(language: str) -> Environment:
    """The templates in one language: ``say``, ``many`` and ``told`` are its words, the latter with links in them."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # 2 MB, and only who shows pages needs it

    say = words(language)
    environment = Environment(
        loader=PackageLoader("relay.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {
        "byline": byline,
        "clean": clean,
        "clock": clock,
        "feeds": feeds_of,
        "host": host,
        "html": html,
        "iso": iso,
        "text_content": text_content,
        "href": safe_url,
    }
    of_language: dict[str, Callable[..., str]] = {
        "day": day,
        "kind": kind,
        "moment": moment,
        "nameless": nameless,
        "posts": posts,
        "warned": warned,
    }
    environment.filters |= {name: partial(shown, say) for name, shown in of_language.items()}
    environment.filters |= {
        "quoted": partial(quoted, say=say),
        "facts": partial(_facts, say),
        "beside": partial(_beside, say),
    }
    environment.globals |= {"rel": REL, "tongue": say.tag, "say": say, "many": say.many, "told": partial(_told, say)}
    return environment


def _told(say: Words, text: str, **values: object) -> Markup:
    """A text with values put in; what is no markup of ours is escaped."""
    return Markup(escape(say(text))).format(**values)  # noqa: S704 - it is escaped


def _facts(say: Words, poll: Poll) -> Markup:
    """What there is to know of a poll, its times for programs as well."""
    parts = []
    for span in poll_facts(poll, say):
        time = time_of(span)
        form = Markup('<time datetime="{}">{}</time>')
        parts.append(form.format(iso(time), moment(say, time)) if time else escape(span.text))
    return Markup().join(parts)


def _beside(say: Words, of: Post | Quote) -> Markup:
    """What stands beside a text and its media, in words alone."""
    place = canvas(say)
    found = (poll_section(of.poll, place, hidden=None), link_section(of, place, hidden=None))
    return Markup().join(html(section.text) for section in found)


def host(address: str) -> str:
    """The host of a web address as people say it; empty where it is none."""
    try:
        return (urlsplit(address).hostname or "").removeprefix("www.")
    except ValueError:
        return ""


def clock(time: datetime) -> str:
    return f"{time:%H:%M}"
