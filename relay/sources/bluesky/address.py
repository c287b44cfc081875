"""What people write and what links look like: hashtags, accounts, posts. Pure; nothing is asked of anybody."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

WEB = "https://bsky.app"
POSTS = "app.bsky.feed.post"

_DID = re.compile(r"did:(?:plc:[a-z2-7]{8,64}|web:[A-Za-z0-9.-]{1,253}(?:%3A\d{1,5})?)")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_NAME = re.compile(rf"(?=.{{3,253}}$)(?:{_LABEL}\.)+[A-Za-z](?:[A-Za-z0-9-]{{0,61}}[A-Za-z0-9])?")
_RKEY = re.compile(r"[A-Za-z0-9._:~-]{1,512}")
_AT = re.compile(r"at://(?P<who>[^/?#\s]{1,300})(?:/(?P<collection>[A-Za-z0-9.-]{1,317})(?:/(?P<rkey>[^/?#\s]+))?)?/?")
_WEB_HOSTS = frozenset({"bsky.app", "www.bsky.app", "main.bsky.dev", "staging.bsky.app"})
_PROFILE = re.compile(r"/profile/(?P<who>[^/]+)(?:/post/(?P<rkey>[^/]+))?(?:/.*)?")


@dataclass(frozen=True, slots=True)
class Actor:
    """An account by its handle or its DID."""

    who: str

    def __str__(self) -> str:
        return self.who if is_did(self.who) else f"@{self.who}"


@dataclass(frozen=True, slots=True)
class Place:
    """A record: whose it is (a DID or a handle), in which collection, under which key."""

    who: str
    rkey: str
    collection: str = POSTS

    def __str__(self) -> str:
        return f"at://{self.who}/{self.collection}/{self.rkey}"


def is_did(text: str) -> bool:
    """Whether it is a DID of a method that atproto knows (plc, web)."""
    return _DID.fullmatch(text) is not None


def read_at(uri: str) -> Place | None:
    """The record that an ``at://`` uri names; None where it names none, or one without a sound key."""
    found = _AT.fullmatch(uri.strip())
    if not found or not found["rkey"] or not _RKEY.fullmatch(found["rkey"]) or not _is_actor(found["who"]):
        return None
    return Place(found["who"], found["rkey"], found["collection"])


def did_of(uri: str) -> str:
    """Whose record an ``at://`` uri names, where it says so by DID."""
    place = read_at(uri)
    return place.who if place and is_did(place.who) else ""


def read_topic(text: str) -> Actor | Place | None:
    """What a person wrote: ``@who.bsky.social``, a DID, an ``at://`` uri, an address of bsky.app."""
    text = text.strip()
    if text.startswith("at://"):
        return read_at(text) or _actor(text.removeprefix("at://").rstrip("/"))
    if "://" in text:
        return _read_link(text)
    return _actor(text.removeprefix("@")) if text.startswith("@") or is_did(text) else None


def post_url(did: str, rkey: str) -> str:
    """Where a person reads the post; by DID, because handles change hands."""
    return f"{WEB}/profile/{did}/post/{rkey}"


def profile_url(did: str) -> str:
    return f"{WEB}/profile/{did}"


def tag_url(tag: str) -> str:
    return f"{WEB}/hashtag/{quote(tag, safe='')}"


def record_url(place: Place) -> str:
    """Where a person sees a record that is no post, as far as there is such a page; else empty."""
    match place.collection:
        case "app.bsky.feed.post":
            return post_url(place.who, place.rkey)
        case "app.bsky.feed.generator":
            return f"{WEB}/profile/{place.who}/feed/{place.rkey}"
        case "app.bsky.graph.list":
            return f"{WEB}/profile/{place.who}/lists/{place.rkey}"
        case "app.bsky.graph.starterpack":
            return f"{WEB}/starter-pack/{place.who}/{place.rkey}"
        case "app.bsky.labeler.service":
            return profile_url(place.who)
        case _:
            return ""


def tag_feed(tag: str) -> str:
    """The address of the feed of a hashtag, as it was folded."""
    return f"tag:{tag}"


def tag_of(feed: str) -> str:
    """The hashtag in such an address; empty where it is another feed's."""
    return feed.removeprefix("tag:") if feed.startswith("tag:") else ""


def _is_actor(text: str) -> bool:
    return is_did(text) or _NAME.fullmatch(text) is not None


def _actor(text: str) -> Actor | None:
    return Actor(text if is_did(text) else text.lower()) if _is_actor(text) else None


def _read_link(url: str) -> Actor | Place | None:
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    found = _PROFILE.fullmatch(unquote(parts.path))
    if parts.scheme not in {"http", "https"} or parts.netloc.lower() not in _WEB_HOSTS or not found:
        return None
    actor = _actor(found["who"])
    if actor is None or found["rkey"] is None:
        return actor
    return Place(actor.who, found["rkey"]) if _RKEY.fullmatch(found["rkey"]) else None
