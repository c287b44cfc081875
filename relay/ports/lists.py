"""Lists of threads as the store gives them, and what tells that a page or a list shows something else by now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from relay.model import PostUri
from relay.ports.kept import Page


@dataclass(frozen=True, slots=True, kw_only=True)
class PageVersion:
    """What tells that a page shows something else than before: then it is not equal to what it was.

    It says nothing of what is shown, and so may be compared with one that was read in another process.
    """

    root: PostUri
    number: int
    """Counts the changes of the thread."""
    looked: datetime | None = None
    asked: bool = False
    visited: datetime | None = None
    seen: datetime | None = None
    stops: int = 0
    """Counts what was taken out or let back in: anything may quote it."""


class ListKind(StrEnum):
    """The lists of threads that a database keeps."""

    LATEST = "latest"
    """Of all, those that grew last."""
    TAG = "tag"
    """What was relayed on a hashtag that is followed in public."""
    AUTHOR = "author"
    """By the author of a page."""
    FOLD = "fold"
    """What shares a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPart:
    """Some of a list of threads, the latest first: at most ``limit``, of those that come after ``after``."""

    kind: ListKind
    name: str = ""
    """A folded hashtag; the slug of one of the author's pages; the slug of a fold."""
    after: str = ""
    """The mark that :attr:`Leaf.older` gave; empty: the list's beginning."""
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListVersion:
    """What tells that a part of a list shows something else, like :class:`PageVersion`."""

    pages: tuple[PageVersion, ...] = ()
    older: str = ""
    about: tuple[object, ...] = ()
    """What else is shown beside the list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """Some of a list of threads, newest first."""

    pages: tuple[Page, ...] = ()
    older: str = ""
    """A mark of the place where the list goes on, which tells nothing to a reader; empty: these are the last."""
    topic: str = ""
    """Of a fold: what it is about."""

    @property
    def more(self) -> bool:
        """Whether there are others after these."""
        return bool(self.older)
