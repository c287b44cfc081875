"""The parts of a post: who wrote it, its pictures, its poll, what it quotes and links to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from relay.rich import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who wrote a post. ``handle`` is the full address a reader can search for (``@who@host``), or empty."""

    uri: str
    name: str
    url: str = ""
    handle: str = ""
    claim: str = ""
    """Another handle that was told, which nobody has vouched for: it is looked up, never shown and never kept."""
    avatar: str = ""
    bot: bool = False
    indexable: bool | None = None
    """What the author said of search engines; None: nothing."""
    created: datetime | None = None
    """When the account was made; None: nobody says."""
    discoverable: bool | None = None
    """What the author said of lists and directories; None: nothing."""
    refuses: bool = False
    """The author asks bots or archives to stay away (``#nobot``, ``noindex`` and their kind)."""


_MOVING = (".gif", ".webp", ".apng", ".avif")
"""The pictures that move."""


class MediaKind(StrEnum):
    IMAGE = "image"
    VIDEO = "video"
    ANIMATION = "animation"
    AUDIO = "audio"
    FILE = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """A picture, video, sound or file; ``alt`` is its description in words, ``preview`` a small picture of it."""

    url: str
    kind: MediaKind
    alt: str = ""
    preview: str = ""
    width: int | None = None
    height: int | None = None
    page: str = ""
    """Where a person sees it, if ``url`` is no file for that (a playlist, a player); empty: at ``url``."""

    @property
    def link(self) -> str:
        """Where a person sees it."""
        return self.page or self.url

    @property
    def is_picture(self) -> bool:
        """Whether its address is that of a picture, moving or not."""
        path = self.url.partition("#")[0].partition("?")[0].lower()
        return self.kind is MediaKind.IMAGE or (self.kind is MediaKind.ANIMATION and path.endswith(_MOVING))

    @property
    def picture(self) -> str:
        """The address of a picture that shows it: itself, or a still of it; empty: there is none."""
        if self.is_picture:
            return self.url
        return self.preview if self.kind in {MediaKind.ANIMATION, MediaKind.VIDEO} else ""

    def addresses(self) -> dict[str, str]:
        """Where all of it is, by name; what is empty or the same is left out."""
        more = {"preview": self.preview, "page": self.page}
        return {"url": self.url, **{name: url for name, url in more.items() if url and url != self.url}}


@dataclass(frozen=True, slots=True, kw_only=True)
class PollOption:
    text: str
    votes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    options: tuple[PollOption, ...]
    votes: int | None = None
    multiple: bool = False
    closes: datetime | None = None
    voters: int | None = None
    """How many people voted, where the network says: each may have chosen several answers."""

    def share(self, option: PollOption) -> int | None:
        """How many of those who voted chose this, in whole percent; None where that is not told."""
        if option.votes is None:
            return None
        total = self.voters or self.votes or sum(each.votes or 0 for each in self.options)
        return min(100, max(0, round(100 * option.votes / total))) if total else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkCard:
    """The preview that the network made of a link in a post."""

    url: str
    title: str
    description: str = ""
    image: str = ""


class QuoteState(StrEnum):
    """What a network says of a quote; of all but the first there are no words to show."""

    ACCEPTED = "accepted"
    PENDING = "pending"
    """The quoted author has not agreed yet."""
    WITHDRAWN = "withdrawn"
    """The quoted author does not agree, or no longer."""
    DELETED = "deleted"
    HIDDEN = "hidden"
    """The quoted post is not for everybody, or not for us."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A quoted post, one level deep. Without ``author`` it may not be shown: only the link and the state are kept."""

    url: str = ""
    """Where it can be read; empty where nobody says, or where it is not to be told."""
    author: Author | None = None
    body: Text = ()
    warning: str = ""
    media: tuple[Media, ...] = ()
    poll: Poll | None = None
    link_card: LinkCard | None = None
    state: QuoteState = QuoteState.ACCEPTED

    def silenced(self) -> Quote:
        """The quote without the words of an author who is not to be shown."""
        return Quote(url=self.url, state=QuoteState.HIDDEN)
