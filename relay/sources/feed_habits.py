"""What well-known sites put around what people wrote, taken away again. Pure.

A post comes here when it has been told apart and compared (:mod:`relay.sources.feed_posts`): what is done here never
makes an edit. Known are the tails of WordPress and Discourse, the heads and tails of Lemmy and Reddit, the prefixes of
Nitter, and titles that only repeat the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

from relay.core.urls import host_of
from relay.model import Author, LinkCard, Media, MediaKind, Post
from relay.rich import Block, Form, Text

STATUS = re.compile(r"https?://[^/?#]+/(?P<who>\w{1,30})/status/(?P<id>\d{8,22})(?:#m)?")
"""A post on X, wherever it is mirrored: the number is the same on every instance."""

_TAIL = re.compile(
    r"(?:The post|La entrada|El cargo|Der Beitrag|L[’']article|L[’']articolo|O post|Het bericht) .{1,400} "
    r"(?:appeared first on|first appeared on|se publicó primero en|apareció primero en|erschien zuerst auf"
    r"|est apparu en premier sur|proviene da|apareceu primeiro em|verscheen eerst op) .{1,200}",
    re.DOTALL,
)
_REDDIT = re.compile(
    r"(?:\[[^\]]{0,200}\] \| )?submitted by\s{1,9}/?u/\S{1,100}.{0,200}\[link\]\s{0,9}\[comments\]", re.DOTALL
)
_LEMMY = re.compile(r"submitted by \S.{0,200} to \S.{0,200}\n\d{1,9} points? \| \d{1,9} comments?(?:\n\S{1,2000})?")
_DISCOURSE = re.compile(r"\d{1,6} posts? - \d{1,6} participants?")
_PREFIX = re.compile(r"(?:Pinned: )?(?:(?P<kind>RT by|R to) @(?P<who>\w{1,30}): )?")
_CREATOR = re.compile(r"@(\w{1,30})")
_CUT = re.compile(r"(?:…|\.\.\.|\[…\])$")
_X = ("x.com", "twitter.com", "mobile.twitter.com")
_PICTURES = ("i.redd.it", "preview.redd.it", "i.imgur.com")
_LONG = 40
"""Characters of a title that stand at the start of the text by no accident."""


def as_meant(post: Post, *, creator: str = "", own: Callable[[str], bool] = lambda _: False) -> Post:
    """The post without what its site adds to every one.

    ``creator`` is whom the entry itself names as its author; ``own`` tells whether the feed is of an address's host.
    """
    if match := STATUS.fullmatch(post.url):
        post = _status(post, match, creator, own)
    elif post.body and "submitted by" in _line(post.body[0]) + _line(post.body[-1]):
        post = _submitted(post)
    elif len(post.body) > 1 and _TAIL.fullmatch(_line(post.body[-1])):
        post = replace(post, body=post.body[:-1])
    elif (
        len(post.body) > 2 and _line(post.body[-1]) == "Read full topic" and _DISCOURSE.fullmatch(_line(post.body[-2]))
    ):
        post = replace(post, body=post.body[:-2])
    return replace(post, title="") if post.title and _is_repeated(post.title, post.body) else post


def _line(block: Block) -> str:
    spans = block.spans
    return spans[0].text if len(spans) == 1 else "".join([span.text for span in spans])


def _is_repeated(title: str, body: Text) -> bool:
    """Whether the title is the text itself or its beginning, as in feeds of short messages."""
    if not body or body[0].form is not Form.PARAGRAPH:
        return False
    start = title.rstrip(" .…")[:_LONG]
    if start and start[:20] != _line(body[0])[: len(start[:20])]:
        return False
    text = " ".join(" ".join(_line(block) for block in body).split())
    stem = _CUT.sub("", title).rstrip()
    telling = len(stem) >= _LONG or (bool(stem) and stem != title)
    return text == title or (telling and text.startswith(stem))


# --- Nitter ---


def _status(post: Post, status: re.Match[str], creator: str, own: Callable[[str], bool]) -> Post:
    """On X itself it is the author's, on a mirror the feed's: anybody can run one."""
    match = _PREFIX.match(post.title)
    kind, other = (match["kind"], match["who"]) if match else (None, None)
    who = named[1] if (named := _CREATOR.fullmatch(creator.strip())) else status["who"]
    there = post.url.partition("/status/")[0].rpartition("/")[0]
    post = replace(post, title=post.title[match.end() :] if match else post.title)
    if own(post.url) and host_of(post.url) in _X:
        post = replace(post, author=Author(uri=f"https://x.com/{who.lower()}", name=f"@{who}", url=f"{there}/{who}"))
    elif kind == "RT by":
        post = replace(post, title=f"RT @{who}")  # else these words would be the feed's own
    if kind == "R to" and other and other.lower() != who.lower():
        return replace(post, reply_to=f"{there}/{other}", reply_to_author=f"{there}/{other}")
    return post


# --- Reddit and Lemmy ---


def _submitted(post: Post) -> Post:
    first, last = post.body[0], post.body[-1]
    if _LEMMY.fullmatch(_line(first)):
        discussion, link = _links(first, "comment"), first.spans[-1].link if _line(first).count("\n") > 1 else ""
        return _with_link(replace(post, body=post.body[1:], url=discussion or post.url), link)
    if _REDDIT.fullmatch(_line(last).strip()):
        return _with_link(replace(post, body=post.body[:-1]), _links(last, "[link]"))
    return post


def _links(block: Block, text: str) -> str:
    """Where the span leads that has this text."""
    return next((span.link for span in block.spans if text in span.text and span.link), "")


def _with_link(post: Post, link: str) -> Post:
    """The post shows this page or picture, unless that is the post itself."""
    if not link or link == post.url or any(media.url == link for media in post.media):
        return post
    host = (urlsplit(link).hostname or "").removeprefix("www.")
    if host in _PICTURES:
        others = tuple(media for media in post.media if not _is_thumbnail(media))
        return replace(post, media=(Media(url=link, kind=MediaKind.IMAGE), *others))
    if host.endswith("reddit.com"):
        return post
    return replace(post, link_card=post.link_card or LinkCard(url=link, title=host))


def _is_thumbnail(media: Media) -> bool:
    return (urlsplit(media.url).hostname or "").endswith(("redd.it", "redditmedia.com"))
