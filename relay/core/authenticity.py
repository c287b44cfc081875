"""Whose words count: what one host says of an author counts if it is the author's own host, or vouched for. Pure.

Anybody can serve a post with somebody else's name on it. So every source asks here, for each part of a post: the host
that says it against the host of the author's uri. What does not count is fetched from the author's host, shown as a
link without the claim, or refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from enum import StrEnum
from functools import lru_cache
from unicodedata import category, normalize
from urllib.parse import urlsplit

from relay.core.urls import host_of
from relay.model import Post, QuoteState

_WEB = re.compile(r"https?://([\w.-]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?(?=[/?#]|\Z)", re.IGNORECASE)
"""Stricter than a browser: with a user name or a backslash in it, nobody can be sure which host is meant."""
_NAMED = re.compile(r"(?:at://)?(did:[a-z]+:[^/?#\s]+)|tag:([\w.-]+),")


_HANDLE = re.compile(r"(?<![\w.+-])@\w|@[\w.-]{1,100}@\w")
_HOST_LIKE = re.compile(r"\w\.\w")


class AuthorClaim(StrEnum):
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


class Vouching(StrEnum):
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
    Vouching.HOME: dict.fromkeys(AuthorClaim, Verdict.COUNTS),
    Vouching.TRUSTED: {
        AuthorClaim.POST: Verdict.COUNTS,
        AuthorClaim.EDIT: Verdict.ASK_HOME,
        AuthorClaim.DELETION: Verdict.ASK_HOME,
        AuthorClaim.QUOTE: Verdict.COUNTS,
        AuthorClaim.NAME: Verdict.REFUSED,
        AuthorClaim.MOVE: Verdict.ASK_HOME,
        AuthorClaim.COPY: Verdict.REFUSED,
    },
    Vouching.PEER: {
        AuthorClaim.POST: Verdict.ASK_HOME,
        AuthorClaim.EDIT: Verdict.ASK_HOME,
        AuthorClaim.DELETION: Verdict.ASK_HOME,
        AuthorClaim.QUOTE: Verdict.LINK,
        AuthorClaim.NAME: Verdict.REFUSED,
        AuthorClaim.MOVE: Verdict.ASK_HOME,
        AuthorClaim.COPY: Verdict.REFUSED,
    },
    Vouching.STRANGER: {
        AuthorClaim.POST: Verdict.ASK_HOME,
        AuthorClaim.EDIT: Verdict.ASK_HOME,
        AuthorClaim.DELETION: Verdict.REFUSED,
        AuthorClaim.QUOTE: Verdict.LINK,
        AuthorClaim.NAME: Verdict.REFUSED,
        AuthorClaim.MOVE: Verdict.REFUSED,
        AuthorClaim.COPY: Verdict.REFUSED,
    },
}


def verdict(said: AuthorClaim, speaker: str, author: str, configured: Collection[str] = ()) -> Verdict:
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


def standing(speaker: str, author: str, configured: Collection[str] = ()) -> Vouching:
    if is_home(speaker, author):
        return Vouching.HOME
    if not any(is_home(speaker, one) for one in configured):
        return Vouching.STRANGER
    return Vouching.PEER if any(is_home(author, one) for one in configured) else Vouching.TRUSTED


def is_home(one: str, other: str) -> bool:
    """Whether two addresses are of one host, and so speak for each other; a port of its own is another host.

    ``www.`` is the same site; any other subdomain is not: on many a host each is somebody else's. A DID speaks for
    itself and for what stands in its repository; the host in a ``tag:`` uri speaks for it (RFC 4151).
    """
    return (here := _origin(one)) != "" and here == _origin(other)


@lru_cache(maxsize=4_096)  # of one post it is asked twenty times in a moment
def _origin(address: str) -> str:
    if (named := _NAMED.match(address)) is not None:
        return named[1] or host_of(f"https://{named[2]}")
    found = _WEB.match(address)
    if found is None:
        return ""
    host = host_of(f"https://{found[1]}")
    return f"{host}:{found[2]}" if host and found[2] not in {None, "80", "443"} else host


# --- posts ---


def of_post(post: Post, configured: Collection[str] = ()) -> Verdict:
    """What becomes of a post as its ``origin`` tells it; one that says that it was edited is an edit.

    A post whose uri is not of its author's host would occupy a name that is somebody else's: it is refused.
    """
    if not is_home(post.uri, post.author.uri):
        return Verdict.REFUSED
    return verdict(AuthorClaim.EDIT if post.edited else AuthorClaim.POST, post.origin, post.author.uri, configured)


def counts_unasked(post: Post, configured: Collection[str] = ()) -> bool:
    """Whether a post counts as its ``origin`` tells it where its author's own host can neither confirm nor deny it."""
    told = of_post(post, configured)
    is_trusted = standing(post.origin, post.author.uri, configured) is Vouching.TRUSTED
    return told is Verdict.COUNTS or (told is Verdict.ASK_HOME and is_trusted)


def is_from_home(post: Post) -> bool:
    """Whether the post was read at its author's own host."""
    return is_home(post.origin, post.author.uri)


def may_replace(old: Post, new: Post) -> bool:
    """Whether a reading of a post may take the place of another one of the same post.

    What the author's own host told is replaced by that host alone. A post changes hands only where one host speaks for
    both authors, or where the host of its uri takes it back from who claimed it for somebody else.
    """
    if old.author.uri == new.author.uri:
        return is_from_home(new) or not is_from_home(old)
    if not is_from_home(new):
        return False
    return old.origin == new.origin if is_from_home(old) else is_home(new.uri, new.author.uri)


def with_quoted_words(new: Post, old: Post) -> Post:
    """The new reading of a post; with the words that it quotes as they are known, if whoever told it only may not.

    The author's own host tells what is quoted and whether that is agreed to, but does not speak for the quoted author.
    """
    here, known = new.quote, old.quote
    is_unvouched = here is not None and here.author is None and here.state is QuoteState.ACCEPTED
    if not (is_unvouched and known and known.author and here and here.url == known.url):
        return new
    return replace(new, quote=known)


def own_handle(name: str, host: str, uri: str) -> str:
    """``@name@host`` of the author with this uri: a host that is not the uri's does not count. Empty without a host."""
    if not is_home(f"https://{host}", uri):
        host = urlsplit(uri).netloc.lower() if _WEB.match(uri) else ""
    return f"@{name}@{host}" if host else ""


def has_handle(name: str) -> bool:
    """Whether a name reads like an account of a network: ``@who``, ``@who@host``."""
    return not (name.isascii() and "@" not in name) and _HANDLE.search(as_read(name)) is not None


def has_host(name: str) -> bool:
    """Whether a name reads like a host, as the handles of some networks are."""
    return _HOST_LIKE.search(as_read(name)) is not None


def as_read(name: str) -> str:
    """A name as a reader sees it: without what cannot be seen, and with the usual signs for those that look alike."""
    if name.isascii():
        return name
    return "".join(sign for sign in normalize("NFKC", name) if category(sign) != "Cf")


def own_address(told: str, uri: str) -> str:
    """The web address that is told of what has this uri; one that is not of the uri's host does not count."""
    if is_home(told, uri):
        return told
    return uri if _WEB.match(uri) else ""
