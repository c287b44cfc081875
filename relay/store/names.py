"""What authors are called besides their uri: their handle and their profile's page, as far as that is vouched for.

Anybody can put somebody else's handle or profile on what they write. So only those names count here for which the host
of the author's uri vouches (:mod:`relay.core.authenticity`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import lru_cache

from sqlalchemy import Connection, delete, select

from relay.core.authenticity import AuthorClaim, Verdict, verdict
from relay.core.urls import host_of, page
from relay.model import Author
from relay.store.rows import among, insert_rows
from relay.store.tables import author_names

_CALLED = select(author_names.c.author).where(among(author_names.c.name, "names"))
_CALLING = select(author_names.c.name).where(among(author_names.c.author, "authors"))
_OF = delete(author_names).where(among(author_names.c.author, "authors"))


def names_of(author: Author) -> frozenset[str]:
    """The names of an author for which their own host vouches.

    A uri that is no web address (a DID) has no host; the handle of such an author is a host name, which the network's
    directory has compared with what that host says.
    """
    return _names(author.uri, author.handle, author.url)


@lru_cache(maxsize=4_096)  # posts come from few authors
def _names(uri: str, handle: str, url: str) -> frozenset[str]:
    handle = handle.casefold()
    if not host_of(uri):
        return frozenset({handle} if handle.count("@") == 1 else ())
    told = {f"https://{handle.rpartition('@')[2]}": handle, url: page(url)}
    return frozenset(name for by, name in told.items() if name and _counts(by, uri))


def _counts(by: str, uri: str) -> bool:
    return verdict(AuthorClaim.NAME, by, uri) is Verdict.COUNTS


def as_author(ref: str) -> set[str]:
    """What an author may mean who is named by a uri, a handle or a profile's address, as the names are kept."""
    text = ref.strip()
    handle = "" if "://" in text or text.startswith("did:") else f"@{text.removeprefix('@')}".casefold()
    return {name for name in (text, handle, page(text)) if name}


def authors_called(connection: Connection, names: Collection[str]) -> set[str]:
    """The uris of the authors who are known by these names; a name may be the uri itself."""
    return {*names, *connection.execute(_CALLED, {"names": names}).scalars()}


def names_called(connection: Connection, authors: Collection[str]) -> set[str]:
    """The names by which these authors are known."""
    return set(connection.execute(_CALLING, {"authors": authors}).scalars())


def add_names(connection: Connection, authors: Iterable[Author]) -> None:
    rows = {(name, author.uri) for author in authors for name in names_of(author)}
    insert_rows(connection, author_names, ("name", "author"), sorted(rows))


def delete_names(connection: Connection, authors: Collection[str]) -> None:
    connection.execute(_OF, {"authors": authors})
