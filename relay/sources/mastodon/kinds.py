"""What runs on a server, as NodeInfo names it (nodeinfo.diaspora.software), and what that means for asking it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto

import msgspec

from relay.sources.mastodon.shapes import Raw, read, read_all
from relay.text import clean


class Speech(Enum):
    """The API that a server is asked by."""

    MASTODON = auto()
    MISSKEY = auto()
    NEITHER = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerKind:
    """How one kind of server differs from the others."""

    label: str = ""
    """Its name for people; empty: nobody knows."""
    speech: Speech = Speech.MASTODON
    needs_token: bool = False
    """Its hashtags are for people with an account there, whatever its settings say."""
    many: str = "id[]"
    """The parameter that asks for several posts at once (Mastodon 4.3); empty: there is none."""
    streams: bool = True
    multiplexed: bool = False
    """One websocket is known to take many subscriptions."""
    protocol: bool = False
    """The token is told by ``Sec-WebSocket-Protocol`` instead of ``Authorization``."""
    feed: str = ""
    """Where an account's own feed is, as a path with ``{who}``."""
    instead: str = ""
    """Where it cannot be read here: what to do, for people."""


_PIXELFED = "it shows its posts to nobody without an account; an account's Atom feed, {base}/users/NAME.atom, is open"
_LEMMY = "it is read by its feeds: {base}/feeds/c/COMMUNITY.xml for a community, {base}/feeds/u/NAME.xml for an account"

UNKNOWN = ServerKind()
_MISSKEY = ServerKind(label="Misskey", speech=Speech.MISSKEY, feed="/@{who}.atom")
_KINDS = {
    "mastodon": ServerKind(label="Mastodon", multiplexed=True, feed="/@{who}.rss"),
    "hometown": ServerKind(label="Hometown", multiplexed=True, feed="/@{who}.rss"),
    "gotosocial": ServerKind(
        label="GoToSocial", needs_token=True, many="", multiplexed=True, protocol=True, feed="/@{who}/feed.rss"
    ),
    "pleroma": ServerKind(label="Pleroma", many="ids[]", protocol=True, feed="/users/{who}.atom"),
    "akkoma": ServerKind(label="Akkoma", many="ids[]", protocol=True, feed="/users/{who}.atom"),
    "takahe": ServerKind(label="Takahē", needs_token=True, many="", streams=False, feed="/@{who}/rss/"),
    "misskey": _MISSKEY,
    "pixelfed": ServerKind(label="Pixelfed", speech=Speech.NEITHER, feed="/users/{who}.atom", instead=_PIXELFED),
    "lemmy": ServerKind(label="Lemmy", speech=Speech.NEITHER, feed="/feeds/u/{who}.xml", instead=_LEMMY),
}
# What became of Misskey in other hands keeps its API beside the ones that it has besides.
_FORKS = ("sharkey", "cherrypick", "firefish", "calckey", "foundkey", "iceshrimp")


class _Link(msgspec.Struct):
    href: str


class _Index(msgspec.Struct):
    links: Raw = Raw()


class _Software(msgspec.Struct):
    name: str | None = None
    version: str | None = None


class _Document(msgspec.Struct):
    software: _Software | None = None


@dataclass(frozen=True, slots=True)
class Software:
    """What a server says that it is."""

    name: str
    version: str = ""

    def __str__(self) -> str:
        return f"{self.kind.label or self.name} {self.version}".strip()

    @property
    def kind(self) -> ServerKind:
        name = self.name.lower()
        if name in _FORKS:
            return replace(_MISSKEY, label=self.name.capitalize())
        return _KINDS.get(name, UNKNOWN)


def read_index(body: bytes) -> str:
    """The address of the newest document that ``/.well-known/nodeinfo`` names; empty where it names none."""
    index = read(body, _Index)
    links = sorted(link.href for link in read_all(index.links, _Link)) if index else []
    return links[-1] if links else ""


def read_software(body: bytes) -> Software | None:
    """The software in a NodeInfo document of any version."""
    document = read(body, _Document)
    told = document.software if document else None
    if told is None or not told.name:
        return None
    return Software(clean(told.name, limit=40), clean(told.version or "", limit=60))


def refusal(kind: ServerKind, base: str, *, token: bool) -> str:
    """Why hashtags cannot be read there, and what to do; empty where they can."""
    host = base.partition("://")[2]
    if kind.instead:
        return f"{host} runs {kind.label}: {kind.instead.format(base=base)}"
    if kind.needs_token and not token:
        return (
            f"{host} runs {kind.label}, which shows hashtags only to people with an account there; put an access token"
            f' under [sources.mastodon.tokens] as "{base}", or name another instance'
        )
    return ""
