"""What people write and what links look like: hashtags, accounts, posts. Pure; nothing is asked of anybody."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

_HOST = r"[\w-]+(?:\.[\w-]+)*(?::\d+)?"
_HOST_NAME = r"[\w-]+(?:\.[\w-]+)+"
_WHO = r"(?P<who>\w(?:[\w.-]*\w)?)"
_HOME = rf"(?:@(?P<home>{_HOST}))?"
_ID = r"(?P<id>(?=[A-Za-z]*\d)[0-9A-Za-z]{1,64})"  # a number, a ULID, a Flake: opaque, but never a word

_HANDLE = re.compile(rf"@?{_WHO}@(?P<home>{_HOST})")
_UI = "(?:web/|deck/|redirect/)?"
_VIEW = "(?:/(?:embed|activity|reblogs|favourites|quotes|history))?/?"  # of a post, where it has pages of its own

_PROFILES = (
    re.compile(rf"/{_UI}@{_WHO}{_HOME}/?"),
    re.compile(rf"/users/{_WHO}/?"),
)
_POSTS = (
    re.compile(rf"/{_UI}@{_WHO}{_HOME}/{_ID}{_VIEW}"),  # Mastodon, and most of its kin
    re.compile(rf"/@{_WHO}{_HOME}/(?:statuses|posts)/{_ID}{_VIEW}"),  # GoToSocial; Takahē, Soapbox, Mangane
    re.compile(rf"/(?:ap/)?users/[^/]+/statuses/{_ID}{_VIEW}"),
    re.compile(rf"/(?:api/v1/|web/|deck/|redirect/)?statuses/{_ID}{_VIEW}"),
    re.compile(rf"/interact/{_ID}/?"),
    re.compile(rf"/notice/{_ID}/?"),  # Pleroma, Akkoma
    re.compile(rf"/notes/{_ID}/?"),  # Misskey, Sharkey, Firefish, Iceshrimp
    re.compile(rf"/p/{_WHO}/{_ID}/?"),  # Pixelfed
    re.compile(rf"/i/web/post/{_ID}/?"),
)
_LED = re.compile(r"/(?:objects|activities)/[0-9A-Za-z-]{1,64}/?")
"""Names of posts in ActivityPub that say nothing of their ids in the API: Pleroma, Akkoma."""
_ON = rf"/(?P<on>{_HOST_NAME}(?::\d{{1,5}})?)"
_CLIENTS = (
    re.compile(rf"{_ON}(?P<path>/@[^/]+(?:/[^/]+)?/?)"),  # Elk: elk.zone/HOST/@who/ID
    re.compile(rf"{_ON}/status(?P<path>/[^/]+/?)"),
    re.compile(rf"{_ON}/s(?P<path>/[^/]+/?)"),  # Phanpy: phanpy.social/#/HOST/s/ID
)
"""Clients in the web that name the server which is to be asked; ``path`` is what its own address would have."""
_ASKING = re.compile(r"/(?:authorize_interaction|lookup|ostatus_subscribe)/?")
"""Pages that are opened to answer or follow what another address names."""
_NAMELESS = {"pinafore.social", "semaphore.social", "enafore.social", "trunks.social", "phanpy.social"}
"""Clients in the web whose addresses need not name the server: it is the one at which their reader has an account."""
_COMMUNITY = re.compile(rf"!{_WHO}@(?P<home>{_HOST})")
_NOTES = "/api/users/notes?userId="
_NOWHERE = SplitResult("", "", "", "", "")
_DOCUMENT = (".rss", ".atom", ".json", ".xml")


@dataclass(frozen=True, slots=True)
class AccountAddress:
    """An account as its home server calls it; ``base`` is the address at which that server is asked."""

    who: str
    home: str
    base: str

    def __str__(self) -> str:
        return f"@{self.who}@{self.home}"


@dataclass(frozen=True, slots=True)
class Found:
    """The address of an account's feed, and what is to be done about it, for people."""

    feed: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class StatusAddress:
    """A post by its id at the server ``base``."""

    base: str
    id: str
    of_notes: bool = False
    """Its address is one of Misskey's."""


@dataclass(frozen=True, slots=True)
class Led:
    """A post by a name that only its server can read: in a browser it leads to the post's page."""

    base: str
    url: str


def read_handle(text: str, instances: Sequence[str]) -> AccountAddress | None:
    """``@who@host``. The host is asked by https, unless it is one of the instances, which say how they are asked."""
    found = _HANDLE.fullmatch(text.strip())
    return _profile(found["who"], found["home"], instances) if found else None


def read_community(text: str) -> str:
    """The address of the feed of ``!name@host``, as Lemmy writes its communities; empty where it is none."""
    found = _COMMUNITY.fullmatch(text.strip())
    return f"https://{found['home'].lower()}/feeds/c/{found['who']}.xml" if found else ""


def read_link(url: str, instances: Sequence[str]) -> AccountAddress | StatusAddress | Led | None:
    """What an address in the web leads to, told by its looks."""
    base, path, around = _split(url.strip(), instances)
    if not base or path.endswith(_DOCUMENT):
        return None
    if _ASKING.fullmatch(path):
        asked = dict(parse_qsl(around.query))
        named = asked.get("uri") or asked.get("acct") or ""
        return _read(*_split(named, instances)[:2], instances) if "://" in named else read_handle(named, instances)
    for pattern in _CLIENTS:
        if found := pattern.fullmatch(around.fragment.partition("?")[0] if path in {"", "/"} else path):
            on = found["on"].lower()
            return _read(_base(on, instances) or f"https://{on}", _own_path(found["path"]), instances)
    return _read(base, path, instances)


def _own_path(path: str) -> str:
    return path if path.startswith("/@") else f"/statuses{path}"


def _read(base: str, path: str, instances: Sequence[str]) -> AccountAddress | StatusAddress | Led | None:
    """What a path of a server means."""
    if not base:
        return None
    for pattern in _POSTS:
        if found := pattern.fullmatch(path):
            return StatusAddress(base, found["id"], path.startswith("/notes/"))
    if _LED.fullmatch(path):
        return Led(base, f"{base}{path}")
    for pattern in _PROFILES:
        if found := pattern.fullmatch(path):
            home = found.groupdict().get("home")
            return (
                _profile(found["who"], home, instances) if home else AccountAddress(found["who"], host_of(base), base)
            )
    return None


def is_nameless(url: str) -> bool:
    """Whether an address is one of a client in the web, and names no server."""
    where = read_link(url, ())
    return host_of(url) in _NAMELESS and (where is None or host_of(where.base) in _NAMELESS)


def account_feed(instance: str, identifier: str) -> str:
    """Where a server tells the posts of an account."""
    return f"{instance}/api/v1/accounts/{quote(identifier, safe='')}/statuses"


def notes_feed(instance: str, identifier: str) -> str:
    """The same where the server speaks Misskey's language."""
    return f"{instance}{_NOTES}{quote(identifier, safe='')}"


def read_notes_feed(feed: str) -> str:
    """Whose notes such an address tells, as the server calls them; empty where it is another one."""
    return unquote(feed.partition(_NOTES)[2])


def instance_of(address: str) -> str:
    """The server's base address in the address of something in its API."""
    return address.partition("/api/")[0]


def host_of(address: str) -> str:
    """Host and port of an address in the web; empty where it is none."""
    return address.partition("://")[2].partition("/")[0].lower()


def _profile(who: str, home: str, instances: Sequence[str]) -> AccountAddress:
    home = home.lower()
    return AccountAddress(who, home, _base(home, instances) or f"https://{home}")


def _split(url: str, instances: Sequence[str]) -> tuple[str, str, SplitResult]:
    """The base address of the server, the path, and all parts; the first is empty where it is no address in the web."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", "", _NOWHERE
    host = parts.netloc.lower()
    if parts.scheme not in {"http", "https"} or not re.fullmatch(_HOST, host):
        return "", "", _NOWHERE
    return _base(host, instances) or f"{parts.scheme}://{host}", unquote(parts.path), parts


def _base(host: str, instances: Sequence[str]) -> str:
    return next((instance for instance in instances if host_of(instance) == host), "")
