"""The HTML pages. The templates decide how things look; what there is to see comes from :mod:`relay.web.reading`."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from importlib import resources
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined

from relay.text import clean, plain, safe_url
from relay.web.listing import Listing, feeds_of
from relay.web.markup import REL, html
from relay.web.reading import Reading, byline, counted, day, moment, share
from relay.web.site import Join

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


def thread_page(
    reading: Reading, *, root: str, joins: Sequence[Join] = (), listed: bool = False, robots: str = NOBODY
) -> str:
    """The page of a thread; ``root`` is the relative address of the site's top. ``listed``: its author has a list."""
    return (
        _environment()
        .get_template("thread.html")
        .render(reading=reading, joins=joins, listed=listed, **_served(root, robots))
    )


def page_html(reading: Reading) -> str:
    """The page of a thread as a file of its own: with its style in it, and without addresses on a relay."""
    digest = base64.b64encode(hashlib.sha256(style().encode()).digest()).decode()
    template = _environment().get_template("thread.html")
    policy = f"{_SOURCES}; style-src 'sha256-{digest}'"
    return template.render(reading=reading, joins=(), listed=False, robots=NOBODY, root="", css=style(), policy=policy)


def article_html(reading: Reading) -> str:
    """The thread's words alone, for a book: no pictures, no styles."""
    return _environment().get_template("book.html").render(reading=reading)


def index_page(listing: Listing, *, joins: Sequence[Join], followed: Sequence[str], root: str) -> str:
    """The front page: what this place is, where to join, which hashtags are followed, and the latest threads."""
    template = _environment().get_template("index.html")
    return template.render(listing=listing, joins=joins, followed=followed, **_served(root))


def list_page(listing: Listing, *, root: str) -> str:
    """The page of a list of threads."""
    return _environment().get_template("list.html").render(listing=listing, **_served(root))


def privacy_page(*, site: str, contact: str, days: int, language: str, root: str) -> str:
    """What is kept and how to take it back, in plain words, in English or Spanish."""
    template = _environment().get_template(f"privacy.{language}.html")
    return template.render(site=site, contact=contact, days=days, language=language, **_served(root))


def message_page(title: str, text: str, *, site: str, root: str, link: str = "", words: str = "") -> str:
    """A page that says one thing, with at most one link out (``words`` are what it reads)."""
    template = _environment().get_template("message.html")
    return template.render(title=title, text=text, site=site, link=link, words=words, **_served(root))


def _served(root: str, robots: str = NOBODY) -> dict[str, str]:
    return {"root": root, "version": style_version(), "css": "", "policy": "", "robots": robots}


@cache
def _environment() -> Environment:
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
        "counted": counted,
        "day": day,
        "feeds": feeds_of,
        "host": host,
        "html": html,
        "iso": iso,
        "moment": moment,
        "plain": plain,
        "share": share,
        "href": safe_url,
    }
    environment.globals |= {"rel": REL}
    return environment


def host(address: str) -> str:
    """The host of a web address as people say it; empty where it is none."""
    try:
        return (urlsplit(address).hostname or "").removeprefix("www.")
    except ValueError:
        return ""


def iso(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


def clock(time: datetime) -> str:
    return f"{time:%H:%M}"
