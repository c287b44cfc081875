"""Reads an author's own server (PDS): for threads that an AppView cuts, and for when it does not answer.

It shows every post of the author to everybody (com.atproto.repo.listRecords), but none of anybody else, and no label
but the author's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from urllib.parse import unquote

import msgspec

from relay.core.authenticity import is_home
from relay.model import Post
from relay.sources.bluesky.address import POSTS, RecordAddress, did_of, read_at
from relay.sources.bluesky.embeds import blob_image
from relay.sources.bluesky.labels import read_self_labels
from relay.sources.bluesky.records import read_bare, read_record
from relay.sources.bluesky.session import home
from relay.sources.bluesky.shapes import Raw, Record, ReplyRef, read, read_all
from relay.sources.bluesky.xrpc import XrpcApi
from relay.sources.kit import Ok
from relay.sources.limits import RECORD, THREAD_BYTES
from relay.sources.off_loop import off_loop

_PAGES = 20
_MOST = 1_000
_SHORT = 50
"""No server tells less at a time, unless that is all; each page has a cursor, the last one too."""
_PROFILES = "app.bsky.actor.profile"


class _Kept(msgspec.Struct):
    """A record as its repository tells it."""

    uri: str
    value: Raw
    cid: str = ""


class _Listing(msgspec.Struct):
    records: Raw = Raw()
    cursor: str | None = None


class _Profile(msgspec.Struct):
    name: str | None = msgspec.field(name="displayName", default=None)
    description: str | None = None
    avatar: Raw = Raw()
    labels: Raw = Raw()


@dataclass(frozen=True, slots=True)
class RepositoryThread:
    """What one author wrote in a conversation, as bare records by uri, the oldest first."""

    did: str
    base: str
    """The author's own server."""
    records: Mapping[str, _Kept]


async def fetch_thread(api: XrpcApi, where: RecordAddress) -> Sequence[Post]:
    """The author's part of a conversation, the post that was asked for first; empty where it is not to be had."""
    base = await _home(api, where.who)
    asked = await _get(api, base, where) if base else None
    if asked is None:
        return ()
    root = root_of(asked.uri, asked.value)
    records = await _list(api, base, where, root, _key(root, where))
    posts = await read_posts(api, RepositoryThread(where.who, base, {asked.uri: asked} | records))
    return posts if posts and posts[0].uri == asked.uri else ()  # else it is not for everybody


async def read_part(api: XrpcApi, where: RecordAddress, top: RecordAddress, root: str) -> RepositoryThread | None:
    """What the author of a post wrote in its conversation; None where the author's server is not to be had.

    ``top`` is the first post of the thread as far as it is known, ``root`` what the conversation began with.
    """
    base = await _home(api, where.who)
    since = _key(root, top) if did_of(root) == where.who else top.rkey
    records = await _list(api, base, where, root, since) if base else {}
    return RepositoryThread(where.who, base, records) if records else None


async def read_posts(api: XrpcApi, part: RepositoryThread, uris: Iterable[str] | None = None) -> Sequence[Post]:
    """The posts, or those of them that are named; what does not leave Bluesky is left out."""
    shown = _view(part.did, await _get(api, part.base, RecordAddress(part.did, "self", _PROFILES)))
    records = [part.records[uri] for uri in (part.records if uris is None else uris)]
    size = sum(len(kept.value) for kept in records)
    posts = await off_loop(size, lambda: [_post(part.did, kept, shown) for kept in records])
    return [post for post in posts if post]


async def has(api: XrpcApi, where: RecordAddress) -> bool:
    """Whether the author's server says for sure that this record is there."""
    base = await _home(api, where.who)
    return bool(base) and await _get(api, base, where) is not None


async def _home(api: XrpcApi, did: str) -> str:
    """The author's own server, as the DID document names it; empty where nobody says."""
    kind, _, name = did.removeprefix("did:").partition(":")
    url = f"https://{unquote(name)}/.well-known/did.json" if kind == "web" else f"{api.directory}/{did}"
    answer = await api.fetch(url)
    return home(answer.body, did) if isinstance(answer, Ok) else ""


async def _get(api: XrpcApi, base: str, where: RecordAddress) -> _Kept | None:
    params = [("repo", where.who), ("collection", where.collection), ("rkey", where.rkey)]
    answer = await api.get(base, "com.atproto.repo.getRecord", params)
    kept = read(answer.body, _Kept) if isinstance(answer, Ok) else None
    return kept if kept and is_home(kept.uri, where.who) else None


async def _list(api: XrpcApi, base: str, where: RecordAddress, root: str, since: str) -> dict[str, _Kept]:
    """The author's records in a conversation, from the key ``since`` on. Keys grow with time (atproto.com/specs/tid).

    Behind a page without any of them, beyond the post that was asked for, nothing more is looked for.
    """
    found: dict[str, _Kept] = {}
    size = 0
    cursor = since[:-1]  # the list begins behind it: this key sorts right before the one that is to be the first
    for _ in range(_PAGES):
        params = [("repo", where.who), ("collection", POSTS), ("limit", "100"), ("reverse", "true")]
        answer = await api.get(base, "com.atproto.repo.listRecords", [*params, ("cursor", cursor)])
        body = answer.body if isinstance(answer, Ok) else b""
        listing, records, here = await off_loop(len(body), partial(_listed, body, where.who, root))
        found |= here
        cursor = (listing.cursor or "") if listing else ""
        size += sum(len(kept.value) for kept in here.values())
        is_full = len(found) >= _MOST or size >= THREAD_BYTES
        if not cursor or len(records) < _SHORT or is_full or (not here and cursor > where.rkey):
            break
    return found


def _listed(body: bytes, who: str, root: str) -> tuple[_Listing | None, list[_Kept], dict[str, _Kept]]:
    """A page, its records, and those of them that are somebody's own in the conversation."""
    listing = read(body, _Listing)
    records = read_all(listing.records, _Kept) if listing else []
    own = (kept for kept in records if is_home(kept.uri, who) and len(kept.value) <= RECORD)
    return listing, records, {kept.uri: kept for kept in own if root_of(kept.uri, kept.value) == root}


def root_of(uri: str, record: Raw) -> str:
    """What the conversation of a post began with: the post itself, where it answers nothing."""
    said = read(record, Record)
    reply = read(said.reply, ReplyRef) if said else None
    return reply.root.uri if reply and reply.root else uri


def _key(root: str, where: RecordAddress) -> str:
    """From where to look: answers are younger than what the conversation began with, whosever that is."""
    first = read_at(root)
    return min(first.rkey, where.rkey) if first else where.rkey


def _post(did: str, kept: _Kept, profile: bytes) -> Post | None:
    place = read_at(kept.uri)
    if place is None or not is_home(kept.uri, did):
        return None
    draft = read_record(did, place.rkey, kept.cid, kept.value, datetime.now(UTC))
    post = read_bare(draft, profile) if draft else None
    return post if isinstance(post, Post) else None


def _view(did: str, kept: _Kept | None) -> bytes:
    """The profile as an AppView would show it, without the handle: only an AppView looks whether it is true."""
    profile = (read(kept.value, _Profile) if kept else None) or _Profile()
    return msgspec.json.encode(
        {
            "did": did,
            "displayName": profile.name,
            "description": profile.description,
            "avatar": blob_image(did, profile.avatar, "avatar"),
            "labels": [{"src": did, "val": label} for label in read_self_labels(profile.labels)],
        }
    )
