"""What people write and what links look like: hashtags, accounts, posts. Pure; nothing is asked of anybody."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

_HOST = r"[\w-]+(?:\.[\w-]+)*(?::\d+)?"
_WHO = r"(?P<who>\w(?:[\w.-]*\w)?)"
_HOME = rf"(?:@(?P<home>{_HOST}))?"
_ID = r"(?P<id>(?=[A-Za-z]*\d)[0-9A-Za-z]{1,64})"  # a number, a ULID, a Flake: opaque, but never a word

_HANDLE = re.compile(rf"@?{_WHO}@(?P<home>{_HOST})")
_PROFILES = (re.compile(rf"/(?:web/|deck/)?@{_WHO}{_HOME}/?"), re.compile(rf"/users/{_WHO}/?"))
_POSTS = (
    re.compile(rf"/(?:web/|deck/)?@{_WHO}{_HOME}/(?:statuses/)?{_ID}(?:/embed)?/?"),
    re.compile(rf"/(?:ap/)?users/[^/]+/statuses/{_ID}(?:/activity)?/?"),
    re.compile(rf"/(?:api/v1/|web/|deck/)?statuses/{_ID}/?"),
    re.compile(rf"/notice/{_ID}/?"),  # Pleroma, Akkoma
    re.compile(rf"/notes/{_ID}/?"),  # Misskey
)
_COMMUNITY = re.compile(rf"!{_WHO}@(?P<home>{_HOST})")
_NOTES = "/api/users/notes?userId="
_DOCUMENT = (".rss", ".atom", ".json", ".xml")


@dataclass(frozen=True, slots=True)
class Profile:
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
class Status:
    """A post by its id at the server ``base``."""

    base: str
    id: str
    of_notes: bool = False
    """Its address is one of Misskey's."""


def read_handle(text: str, instances: Sequence[str]) -> Profile | None:
    """``@who@host``. The host is asked by https, unless it is one of the instances, which say how they are asked."""
    found = _HANDLE.fullmatch(text.strip())
    return _profile(found["who"], found["home"], instances) if found else None


def read_community(text: str) -> str:
    """The address of the feed of ``!name@host``, as Lemmy writes its communities; empty where it is none."""
    found = _COMMUNITY.fullmatch(text.strip())
    return f"https://{found['home'].lower()}/feeds/c/{found['who']}.xml" if found else ""


def read_link(url: str, instances: Sequence[str]) -> Profile | Status | None:
    """What an address in the web leads to, told by its looks."""
    base, path = _split(url.strip(), instances)
    if not base or path.endswith(_DOCUMENT):
        return None
    for pattern in _POSTS:
        if found := pattern.fullmatch(path):
            return Status(base, found["id"], path.startswith("/notes/"))
    for pattern in _PROFILES:
        if found := pattern.fullmatch(path):
            home = found.groupdict().get("home")
            return _profile(found["who"], home, instances) if home else Profile(found["who"], host_of(base), base)
    return None


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


def _profile(who: str, home: str, instances: Sequence[str]) -> Profile:
    home = home.lower()
    return Profile(who, home, _base(home, instances) or f"https://{home}")


def _split(url: str, instances: Sequence[str]) -> tuple[str, str]:
    """The base address of the server and the path; empty where it is no address in the web."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", ""
    host = parts.netloc.lower()
    if parts.scheme not in {"http", "https"} or not re.fullmatch(_HOST, host):
        return "", ""
    return _base(host, instances) or f"{parts.scheme}://{host}", unquote(parts.path)


def _base(host: str, instances: Sequence[str]) -> str:
    return next((instance for instance in instances if host_of(instance) == host), "")
