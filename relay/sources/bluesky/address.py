"""What people write and what links look like: hashtags, accounts, posts. Pure; nothing is asked of anybody."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, unquote, urlsplit

WEB = "https://bsky.app"
POSTS = "app.bsky.feed.post"

_DID = re.compile(r"did:(?:plc:[a-z2-7]{8,64}|web:[A-Za-z0-9.-]{1,253}(?:%3A\d{1,5})?)")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_NAME = re.compile(rf"(?=.{{3,253}}$)(?:{_LABEL}\.)+[A-Za-z](?:[A-Za-z0-9-]{{0,61}}[A-Za-z0-9])?")
_RKEY = re.compile(r"[A-Za-z0-9._:~-]{1,512}")
_AT = re.compile(r"at://(?P<who>[^/?#\s]{1,300})(?:/(?P<collection>[A-Za-z0-9.-]{1,317})(?:/(?P<rkey>[^/?#\s]+))?)?/?")
_TID = re.compile(r"[2-7a-z]{13}")
_LONGEST = 2000
_MOST_PARAMETERS = 30

# --- who shows Bluesky's posts, and under which addresses ---

_CLIENTS = (
    *("bsky.app", "main.bsky.dev", "blacksky.community", "deer.social", "zeppelin.social", "witchsky.app"),
    *("catsky.social", "reddwarf.app"),
)
"""The app, and its kin: any host below these."""
_PREVIEWS = (
    *("fxbsky.app", "vxbsky.app", "bskx.app", "bskyx.app", "bskye.app", "bsyy.app", "xbsky.app", "cbsky.app"),
    "psky.app",
)
"""Those that make previews for chats of the same paths; below them ``r.``, ``g.``, ``d.`` and others."""
_READERS = {
    "skyview.social": ("url", "q"),
    "skythread.mackuba.eu": ("q", "url"),
    "blue.mackuba.eu": ("q", "url"),
    "bsky.link": ("url",),
    "embed.bsky.app": ("url",),
}
"""Those that are told the address of a post, or its uri, in a parameter."""
_FORMS = (
    re.compile(r"(?:/[a-z]{1,2})?/profile/@?(?P<who>[^/]+)(?:/post/(?P<rkey>[^/]+))?(?:/.*)?", re.IGNORECASE),
    re.compile(r"/embed/@?(?P<who>[^/]+)/(?:app\.bsky\.feed\.post|post)/(?P<rkey>[^/]+)(?:/.*)?", re.IGNORECASE),
)
_INNER = re.compile(r"/(?:[a-z]+/)?(?P<url>https?:/{1,2}[^/].*)", re.IGNORECASE)
"""An address within a path; servers on the way make one slash of two."""
_RECORD = re.compile(r"(?:/.*)?/at(?:/|://?)(?P<record>[^/]+/app\.bsky\.feed\.post/[^/]+)(?:/.*)?", re.IGNORECASE)
"""The same of browsers of records: an ``at://`` uri in a path."""


@dataclass(frozen=True, slots=True)
class Actor:
    """An account by its handle or its DID."""

    who: str

    def __str__(self) -> str:
        return self.who if is_did(self.who) else f"@{self.who}"


@dataclass(frozen=True, slots=True)
class RecordAddress:
    """A record: whose it is (a DID or a handle), in which collection, under which key."""

    who: str
    rkey: str
    collection: str = POSTS

    def __str__(self) -> str:
        return f"at://{self.who}/{self.collection}/{self.rkey}"


def is_did(text: str) -> bool:
    """Whether it is a DID of a method that atproto knows (plc, web)."""
    return _DID.fullmatch(text) is not None


def read_at(uri: str) -> RecordAddress | None:
    """The record that an ``at://`` uri names; None where it names none, or one without a sound key."""
    found = _AT.fullmatch(uri.strip())
    if not found or not found["rkey"] or not _RKEY.fullmatch(found["rkey"]) or not _is_actor(found["who"]):
        return None
    return RecordAddress(found["who"], found["rkey"], found["collection"])


def did_of(uri: str) -> str:
    """Whose record an ``at://`` uri names, where it says so by DID."""
    place = read_at(uri)
    return place.who if place and is_did(place.who) else ""


def read_topic(text: str) -> Actor | RecordAddress | None:
    """What a person wrote: ``@who.bsky.social``, a DID, an ``at://`` uri, an address of who shows Bluesky's posts."""
    text = text.strip()
    if text.lower().startswith("at://"):
        uri = "at://" + re.split(r"[?#]", text[len("at://") :], maxsplit=1)[0].rstrip("/")
        return read_at(uri) or _actor(uri.removeprefix("at://"))
    if "/" in text and len(text) <= _LONGEST:
        return _read_link(text if "://" in text[:8] else f"https://{text}")
    return _actor(text.removeprefix("@")) if text.startswith("@") or is_did(text) else None


def post_url(did: str, rkey: str) -> str:
    """Where a person reads the post; by DID, because handles change hands."""
    return f"{WEB}/profile/{did}/post/{rkey}"


def profile_url(did: str) -> str:
    return f"{WEB}/profile/{did}"


def tag_url(tag: str) -> str:
    return f"{WEB}/hashtag/{quote(tag, safe='')}"


def record_url(place: RecordAddress) -> str:
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


def _read_link(url: str, *, inner: bool = False) -> Actor | RecordAddress | None:
    """``inner``: it stood in another one, which happens once."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or "@" in parts.netloc or port not in {None, 80, 443}:
        return None
    path = unquote(parts.path)
    if (told := _READERS.get(host.removeprefix("www."))) and (found := _in_query(parts.query, told, inner=inner)):
        return found
    if found := _record_in(path) or _form_of(host, path):
        return found
    within = _INNER.fullmatch(path) if _is_at(host, _PREVIEWS) and not inner else None
    return _read_link(re.sub(":/+", "://", within["url"], count=1), inner=True) if within else None


def _in_query(query: str, names: tuple[str, ...], *, inner: bool) -> Actor | RecordAddress | None:
    """What the parameters say: an address or a uri, or account and key apart."""
    if query.count("&") > _MOST_PARAMETERS:
        return None
    asked = {name: values[0].strip() for name, values in parse_qs(query).items()}
    if (actor := _actor(asked.get("author", "").removeprefix("@"))) and _RKEY.fullmatch(asked.get("post", "")):
        return RecordAddress(actor.who, asked["post"])
    text = next((asked[name] for name in names if asked.get(name)), "")
    if inner or not text:
        return None
    if text.startswith("at://"):
        return read_at(text.rstrip("/"))
    return _read_link(text if "://" in text[:8] else f"https://{text}", inner=True)


def _record_in(path: str) -> RecordAddress | None:
    found = _RECORD.fullmatch(path)
    return read_at(f"at://{found['record']}") if found else None


def _form_of(host: str, path: str) -> Actor | RecordAddress | None:
    """Clients come and go: elsewhere, too, a path of their form that ends in a post's key is one's."""
    found = next((match for form in _FORMS if (match := form.fullmatch(path))), None)
    actor = _actor(found["who"]) if found else None
    if found is None or actor is None:
        return None
    known, rkey = _is_at(host, (*_CLIENTS, *_PREVIEWS)), found["rkey"]
    if rkey is None:
        return actor if known else None
    return RecordAddress(actor.who, rkey) if (_RKEY if known else _TID).fullmatch(rkey) else None


def _is_at(host: str, places: tuple[str, ...]) -> bool:
    return host in places or host.endswith(tuple(f".{one}" for one in places))
