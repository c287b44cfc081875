"""Whose words count: what one host says of an author counts if it is the author's own host, or vouched for. Pure.

Anybody can serve a post with somebody else's name on it. So every source asks here, for each part of a post: the host
that says it against the host of the author's uri. What does not count is fetched from the author's host, shown as a
link without the claim, or refused.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from urllib.parse import urlsplit

from relay.address import host_of


class Said(StrEnum):
    """What is said of an author."""

    POST = "post"
    EDIT = "edit"
    DELETION = "deletion"
    QUOTE = "quote"
    """Their words within somebody else's post."""
    NAME = "name"
    """A handle or a profile's address."""
    MOVE = "move"
    """That the author, or the feed, is somewhere else now."""
    COPY = "copy"
    """That another post, or another address, is the same post."""


class Standing(StrEnum):
    """How the one who says it stands to the author."""

    HOME = "home"
    """It is the author's own host."""
    TRUSTED = "trusted"
    """The configuration names it, and the author is at home where nothing is configured."""
    PEER = "peer"
    """The configuration names it, and the author's own host too, which can be asked."""
    STRANGER = "stranger"
    """Anybody else."""


class Verdict(StrEnum):
    COUNTS = "counts"
    ASK_HOME = "ask home"
    """It counts as the author's own host tells it. Of an edit or a deletion that a trusted host tells, and that the
    author's host can neither confirm nor deny, the trusted host's word counts."""
    LINK = "link"
    """Only the address is shown, without words or a name."""
    REFUSED = "refused"


_VERDICTS = {
    Standing.HOME: dict.fromkeys(Said, Verdict.COUNTS),
    Standing.TRUSTED: {
        Said.POST: Verdict.COUNTS,
        Said.EDIT: Verdict.ASK_HOME,
        Said.DELETION: Verdict.ASK_HOME,
        Said.QUOTE: Verdict.COUNTS,
        Said.NAME: Verdict.REFUSED,
        Said.MOVE: Verdict.ASK_HOME,
        Said.COPY: Verdict.REFUSED,
    },
    Standing.PEER: {
        Said.POST: Verdict.ASK_HOME,
        Said.EDIT: Verdict.ASK_HOME,
        Said.DELETION: Verdict.ASK_HOME,
        Said.QUOTE: Verdict.LINK,
        Said.NAME: Verdict.REFUSED,
        Said.MOVE: Verdict.ASK_HOME,
        Said.COPY: Verdict.REFUSED,
    },
    Standing.STRANGER: {
        Said.POST: Verdict.ASK_HOME,
        Said.EDIT: Verdict.ASK_HOME,
        Said.DELETION: Verdict.REFUSED,
        Said.QUOTE: Verdict.LINK,
        Said.NAME: Verdict.REFUSED,
        Said.MOVE: Verdict.REFUSED,
        Said.COPY: Verdict.REFUSED,
    },
}


def verdict(said: Said, speaker: str, author: str, configured: Collection[str] = ()) -> Verdict:
    """What becomes of what ``speaker`` says of ``author``; both are addresses, ``configured`` those in the settings.

    =========  ========  ========  ========  ========  =======  ========  =======
    speaker    post      edit      deletion  quote     name     move      copy
    =========  ========  ========  ========  ========  =======  ========  =======
    home       counts    counts    counts    counts    counts   counts    counts
    trusted    counts    ask home  ask home  counts    refused  ask home  refused
    peer       ask home  ask home  ask home  link      refused  ask home  refused
    stranger   ask home  ask home  refused   link      refused  refused   refused
    =========  ========  ========  ========  ========  =======  ========  =======
    """
    return _VERDICTS[standing(speaker, author, configured)][said]


def standing(speaker: str, author: str, configured: Collection[str] = ()) -> Standing:
    if is_home(speaker, author):
        return Standing.HOME
    if not any(is_home(speaker, one) for one in configured):
        return Standing.STRANGER
    return Standing.PEER if any(is_home(author, one) for one in configured) else Standing.TRUSTED


def is_home(one: str, other: str) -> bool:
    """Whether two addresses are of one host, and so speak for each other; a port of its own is another host.

    ``www.`` is the same site; any other subdomain is not: on many a host each is somebody else's.
    """
    return (here := _origin(one)) != "" and here == _origin(other)


def _origin(address: str) -> str:
    host = host_of(address)
    try:
        port = urlsplit(address).port
    except ValueError:
        return ""
    return f"{host}:{port}" if host and port not in {None, 80, 443} else host
