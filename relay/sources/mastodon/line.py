"""Where an instance streams, and how it is spoken to there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from relay.ports import Gone, TryLater
from relay.sources.mastodon.about import About, instance, streaming_address
from relay.sources.mastodon.address import host_of
from relay.sources.mastodon.kinds import Speech, refusal
from relay.sources.mastodon.tongues import MASTODON, MISSKEY, Tongue


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A websocket that could be opened. The token is in none of what is shown or logged of it."""

    url: str
    tongue: Tongue
    first: bool = False
    """The first hashtag is named in the address: the only one that servers of all kinds understand."""
    multiplexed: bool = True
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    protocols: tuple[str, ...] = field(default=(), repr=False)

    @property
    def host(self) -> str:
        return host_of(self.url)

    def address(self, tag: str) -> str:
        """Where to connect to hear of this hashtag first."""
        return f"{self.url}?{urlencode({'stream': 'hashtag', 'tag': tag})}" if self.first else self.url


async def find_line(about: About, base: str) -> Line | str | None:
    """A reason where it cannot be said now; None where this instance streams to nobody like us."""
    kind, token = await about.kind(base), about.api.token(base)
    if kind.speech is Speech.MISSKEY:
        return _allowed(about, Line(url=f"ws{base.removeprefix('http')}/streaming", tongue=MISSKEY))
    if not token or not kind.streams or refusal(kind, base, token=True):
        return None
    told = await instance(about.api, base)
    if isinstance(told, TryLater | Gone):
        return told.reason
    line = Line(
        url=streaming_address(told, base),
        tongue=MASTODON,
        first=True,
        multiplexed=kind.multiplexed,
        headers={} if kind.protocol else {"Authorization": f"Bearer {token}"},
        protocols=(token,) if kind.protocol else (),
    )
    return _allowed(about, line)


def _allowed(about: About, line: Line) -> Line | str:
    """An instance may name another host; the guard has its say about that as about any."""
    return about.api.http.refusal(f"http{line.url.removeprefix('ws')}") or line
