"""What is remembered of a feed between polls."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from relay.sources.feed_document import NOTHING

MOVED_AFTER = timedelta(days=1)
MOVED_POLLS = 3
"""A permanent redirect is believed when it led to the same place so often, over so long: many are mistakes."""
LOST_AFTER = timedelta(days=7)
"""A feed that is not found for so long is given up."""
BACK_AFTER = timedelta(hours=1)
"""How often the first of several mirrors is tried again while another one serves."""


class Moving(msgspec.Struct, frozen=True, array_like=True):
    """A permanent redirect that is not believed yet."""

    to: str
    since: int
    polls: int


class Cursor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the last poll left behind. Times are seconds of Unix time, 0 for none."""

    etag: str = ""
    modified: str = ""
    """The validators, verbatim, to be sent back as they came (RFC 9110 13.1)."""
    body: str = ""
    """A digest of the document: servers without validators send the same one again and again."""
    minutes: int = 0
    """How long the document says that it holds."""
    skip_hours: tuple[int, ...] = ()
    skip_days: tuple[int, ...] = ()
    """When the publisher wants not to be asked: hours from 0, days from Monday = 0; UTC."""
    hub: str = ""
    topic: str = ""
    """Who tells of news in the feed, and what the feed is called there (WebSub)."""
    latest: int = 0
    gap: int = 0
    """The newest date in the document, and the seconds that usually lie between two entries."""
    newest: int = 0
    """The newest date that any document had."""
    stood: bool = False
    """The last document was answered more than once: it is not made anew for each answer."""
    changed: int = 0
    """When something new was last read."""
    lost: int = 0
    """Since when there is no feed at the address."""
    home: str = ""
    """Where the feed is read, if not at its address."""
    found: bool = False
    """A web page at the address names ``home``; otherwise the feed has moved there."""
    moving: Moving | None = None
    mirror: int = 0
    """Which of the addresses serves."""
    tried: int = 0
    """When the first address was last asked, while another one serves."""
    items: msgspec.Raw = NOTHING
    """Of each entry the marks by which it is known again: :func:`relay.sources.feed_identity.EntryDigests`."""
    gone: str = ""
    """The names of entries that left the document long ago."""
    slices: msgspec.Raw = NOTHING
    """What :class:`relay.sources.feed_changes.KnownFeed` calls so, unread: most polls need nothing of it."""

    @classmethod
    def load(cls, text: str) -> Cursor:
        """What cannot be read is an empty cursor."""
        try:
            return msgspec.json.decode(text, type=cls)
        except msgspec.DecodeError:
            return cls()

    def dump(self) -> str:
        return msgspec.json.encode(self).decode()

    def validators(self) -> dict[str, str]:
        pairs = {"If-None-Match": self.etag, "If-Modified-Since": self.modified}
        return {name: value for name, value in pairs.items() if value}

    def unread(self) -> Cursor:
        """As if the feed was never read; only since when it was not found is kept."""
        return Cursor(lost=self.lost)

    def at(self, mirror: int) -> Cursor:
        """For reading at another address: what was learnt at the one that served is not true of it."""
        if mirror == self.mirror:
            return self
        kept = {name: getattr(self, name) for name in ("newest", "changed", "items", "gone", "lost", "tried")}
        return Cursor(mirror=mirror, **kept)

    def leave_home(self) -> Cursor:
        return msgspec.structs.replace(self, home="", found=False, moving=None, etag="", modified="", body="")

    def follow(self, moved: str, now: datetime) -> Cursor:
        """After a good answer: at which address it was found by permanent redirects alone, or an empty string."""
        if not moved:
            return msgspec.structs.replace(self, moving=None) if self.moving else self
        since, polls = (self.moving.since, self.moving.polls) if self.moving and self.moving.to == moved else (0, 0)
        moving = Moving(moved, since or seconds(now), polls + 1)
        if moving.polls >= MOVED_POLLS and now - moment(moving.since) >= MOVED_AFTER:
            return msgspec.structs.replace(self, home=moved, found=False, moving=None)
        return msgspec.structs.replace(self, moving=moving)

    def order(self, mirrors: int, now: datetime) -> list[int]:
        """Which addresses to try, one after the other: the one that serves first, but now and then the very first."""
        if mirrors == 1:
            return [0]
        serving = self.mirror if self.mirror < mirrors else 0
        back = serving and now - moment(self.tried) >= BACK_AFTER
        first = [0, serving] if back else [serving]
        return list(dict.fromkeys([*first, *range(mirrors)]))


def seconds(time: datetime) -> int:
    return int(time.timestamp())


def moment(unix: int) -> datetime:
    return datetime.fromtimestamp(unix, UTC)
