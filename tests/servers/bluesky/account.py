"""What a server does for the account that lives there: its notifications as the AppView tells them, and its writing."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from relay.text import graphemes
from tests.servers.bluesky.jetstream import cid, did
from tests.servers.bluesky.world import Json, World

PROFILE = "app.bsky.actor.profile"
_HANDLE = re.compile(r"@((?:\w+\.)+\w+)")
_ATTEMPTS = 10
_TID = re.compile(r"[234567abcdefghij][234567abcdefghijklmnopqrstuvwxyz]{12}")


class SwapError(Exception):
    """The record is not the one that was to be replaced."""


class RecordError(Exception):
    """No such record is taken."""


def reside(world: World, who: str, handle: str) -> None:
    """The account has a name by which it posts: ``chaski``."""
    world.people[who] = world.person("chaski", did=who, handle=handle)


def speak(world: World, text: str, by: str = "sami", *, reason: str = "mention", at: str = "", **changes: Any) -> str:
    """Write a post whose ``@handles`` are facets, and notify the account; answers its uri."""
    facets = [_mention(world, text, found) for found in _HANDLE.finditer(text)]
    uri = world.post(text, by, **({"facets": facets} | changes))
    world.notices.append((at or str(world.records[uri]["createdAt"]), uri, reason))
    return uri


def _mention(world: World, text: str, found: re.Match[str]) -> Json:
    start, end = (len(text[:place].encode()) for place in found.span())
    person = world.find(found[1]) or {"did": did("nobody")}
    feature = {"$type": "app.bsky.richtext.facet#mention", "did": person["did"]}
    return {"index": {"byteStart": start, "byteEnd": end}, "features": [feature]}


# --- notifications, as the AppView pages and filters them ---


def list_notifications(world: World, reasons: Iterable[str], limit: int, cursor: str | None) -> Json:
    """Newest first; a cursor is a moment, and what else happened at that moment is not on the page below."""
    wanted, found = set(reasons), list[tuple[str, str, str]]()
    everything = sorted(world.notices, key=lambda one: one[0], reverse=True)
    for _ in range(_ATTEMPTS):
        if world.is_counted:
            start = int(cursor or 0)
            page = everything[start : start + limit]
            cursor = str(start + limit) if page else None
        else:
            page = [one for one in everything if cursor is None or one[0] < cursor][:limit]
            cursor = page[-1][0] if page else None
        found += [one for one in page if one[2] in wanted]
        if cursor is None or len(found) >= math.ceil(limit / 2):
            break
    shown = [_notice(world, *one) for one in found if one[1] in world.records]
    return {"notifications": shown, "priority": False} | ({"cursor": cursor} if cursor else {})


def _notice(world: World, at: str, uri: str, reason: str) -> Json:
    by, said = world.people[uri.split("/")[2]], world.records[uri]
    about = {"uri": uri, "cid": cid(said), "author": by, "record": said, "reason": reason}
    return about | {"isRead": False, "indexedAt": at, "labels": []}


# --- the repository ---


def put(world: World, body: Json) -> Json:
    """``com.atproto.repo.putRecord``."""
    uri, record = f"at://{body['repo']}/{body['collection']}/{body['rkey']}", body["record"]
    before = cid(world.records[uri]) if uri in world.records else None
    if body["collection"] == "app.bsky.feed.post":
        _judge(record, body["rkey"])
    if record != world.records.get(uri):
        if "swapRecord" in body and body["swapRecord"] != before:
            raise SwapError
        world.records[uri] = record
    return {"uri": uri, "cid": cid(record)}


def _judge(record: Json, rkey: str) -> None:
    """What the lexicon and the AppView want of a post."""
    text: bytes = record["text"].encode()
    if not _TID.fullmatch(rkey) or record["$type"] != "app.bsky.feed.post":
        raise RecordError("no post")
    if len(graphemes(record["text"])) > 300 or len(text) > 3000:
        raise RecordError("Record/text must not be longer than 300 graphemes")
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record["createdAt"]):
        raise RecordError("Record/createdAt must be a datetime")
    datetime.fromisoformat(record["createdAt"])
    for ref in record["reply"].values():
        if set(ref) != {"uri", "cid"} or not all(ref.values()):
            raise RecordError("Record/reply must be of strong references")
    for facet in record.get("facets", []):
        index = facet["index"]
        text[index["byteStart"] : index["byteEnd"]].decode()
