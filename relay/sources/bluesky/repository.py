"""Reads an author's own server (PDS), for when the AppView does not answer.

It shows every post of the author to everybody, but none of anybody else, and no label but the author's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import unquote

import msgspec

from relay.model import Post
from relay.sources.bluesky.address import POSTS, Place, read_at
from relay.sources.bluesky.answers import Told
from relay.sources.bluesky.embeds import blob_image
from relay.sources.bluesky.labels import read_self_labels
from relay.sources.bluesky.records import read_bare, read_record
from relay.sources.bluesky.session import home
from relay.sources.bluesky.shapes import Raw, Record, Reply, read, read_all
from relay.sources.bluesky.xrpc import Api

_PAGES = 20
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


async def fetch_thread(api: Api, where: Place) -> Sequence[Post]:
    """The author's part of a conversation, the post that was asked for first; empty where it is not to be had."""
    base = await _home(api, where.who)
    asked = await _get(api, base, where) if base else None
    if asked is None:
        return ()
    profile = await _get(api, base, Place(where.who, "self", _PROFILES))
    shown = _view(where.who, profile)
    posts = [_post(where.who, kept, shown) for kept in await _conversation(api, base, where, asked)]
    return [post for post in posts if post] if posts[0] else ()


async def has(api: Api, where: Place) -> bool:
    """Whether the author's server says for sure that this record is there."""
    base = await _home(api, where.who)
    return bool(base) and await _get(api, base, where) is not None


async def _home(api: Api, did: str) -> str:
    """The author's own server, as the DID document names it; empty where nobody says."""
    kind, _, name = did.removeprefix("did:").partition(":")
    url = f"https://{unquote(name)}/.well-known/did.json" if kind == "web" else f"{api.directory}/{did}"
    answer = await api.fetch(url)
    return home(answer.body) if isinstance(answer, Told) else ""


async def _get(api: Api, base: str, where: Place) -> _Kept | None:
    params = [("repo", where.who), ("collection", where.collection), ("rkey", where.rkey)]
    answer = await api.get(base, "com.atproto.repo.getRecord", params)
    return read(answer.body, _Kept) if isinstance(answer, Told) else None


async def _conversation(api: Api, base: str, where: Place, asked: _Kept) -> list[_Kept]:
    """What the author wrote in it. Keys grow with time: all answers stand behind the post that began it."""
    root = _root(asked)
    first = read_at(root)
    own = first if first and first.who == where.who else where
    found = {asked.uri: asked}
    if own != where and (kept := await _get(api, base, own)):
        found[kept.uri] = kept
    cursor = own.rkey
    for _ in range(_PAGES):
        params = [("repo", where.who), ("collection", POSTS), ("limit", "100"), ("reverse", "true")]
        answer = await api.get(base, "com.atproto.repo.listRecords", [*params, ("cursor", cursor)])
        listing = read(answer.body, _Listing) if isinstance(answer, Told) else None
        records = read_all(listing.records, _Kept) if listing else []
        here = {kept.uri: kept for kept in records if _root(kept) == root}
        found |= here
        cursor = (listing.cursor or "") if listing else ""
        if not cursor or (not here and cursor > where.rkey):
            break
    return list(found.values())


def _root(kept: _Kept) -> str:
    """What the conversation began with: the post itself, where it answers nothing."""
    said = read(kept.value, Record)
    reply = read(said.reply, Reply) if said else None
    return reply.root.uri if reply and reply.root else kept.uri


def _post(did: str, kept: _Kept, profile: bytes) -> Post | None:
    place = read_at(kept.uri)
    if place is None or place.who != did:
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
