"""A small Bluesky: people who do not exist, their repositories, and what an AppView makes of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.servers.bluesky.jetstream import POSTS, cid, did, record, stamp, tid

Json = dict[str, Any]

DEPTH = 10
"""So many generations are told, whatever is asked for."""
HEIGHT = 80
_STEP = 1_000_000


def label(val: str, src: str = "did:plc:moderator2345", **more: Any) -> Json:
    return {"src": src, "uri": "at://x", "val": val, "cts": "2026-07-01T12:00:00.000Z"} | more


def profile(name: str, **changes: Any) -> Json:
    """Somebody as a basic view shows them; ``description`` is shown in the detailed views only."""
    return {
        "did": did(name),
        "handle": f"{name}.ayllu.example",
        "displayName": name.title(),
        "avatar": f"https://cdn.example/avatar/{name}",
        "createdAt": "2024-05-01T10:00:00.000Z",
        "labels": [],
    } | changes


def view(of: Json, by: Json, *, uri: str = "", **changes: Any) -> Json:
    """A post view of a record (``app.bsky.feed.defs#postView``)."""
    return {
        "uri": uri or f"at://{by['did']}/{POSTS}/{tid(1_783_000_000_000_000)}",
        "cid": cid(of),
        "author": {name: value for name, value in by.items() if name != "description"},
        "record": of,
        "bookmarkCount": 0,
        "replyCount": 0,
        "repostCount": 0,
        "likeCount": 0,
        "quoteCount": 0,
        "indexedAt": of.get("createdAt", "2026-07-01T12:00:00.000Z"),
        "labels": [],
    } | changes


@dataclass
class World:
    """Who there is and what they wrote; time moves a second with each post."""

    now: int = field(default_factory=lambda: int((datetime.now(UTC) - timedelta(hours=12)).timestamp()) * _STEP)
    people: dict[str, Json] = field(default_factory=dict)
    """By DID."""
    records: dict[str, Json] = field(default_factory=dict)
    """By uri, in the order in which they were written."""
    answers: dict[str, list[str]] = field(default_factory=dict)
    """By the uri of what they answer."""
    shown: dict[str, Json] = field(default_factory=dict)
    """By uri: what is otherwise in the view than it would be."""
    unknown: set[str] = field(default_factory=set)
    """Posts that the AppView does not know, or not yet."""
    reposts: list[tuple[str, str, int]] = field(default_factory=list)
    """Who repeated what, when."""
    notices: list[tuple[str, str, str]] = field(default_factory=list)
    """When the account was notified, of which post, and why."""
    is_counted: bool = False
    """Cursors of the notifications are numbers, as another AppView may have them."""
    depth: int = DEPTH

    def person(self, name: str, **changes: Any) -> Json:
        if did(name) not in self.people:
            self.people[did(name)] = profile(name)
        self.people[did(name)].update(changes)
        return self.people[did(name)]

    def post(self, text: str, by: str = "illa", *, reply_to: str = "", **changes: Any) -> str:
        """Write a post; answers its uri. ``#words`` are facets; more of the record by name."""
        self.now += _STEP
        made = record(text, self.now) | ({"reply": self._reply(reply_to)} if reply_to else {}) | changes
        uri = f"at://{self.person(by)['did']}/{POSTS}/{tid(self.now)}"
        self.records[uri] = made
        self.answers.setdefault(reply_to, []).append(uri)
        return uri

    def edit(self, uri: str, text: str) -> None:
        self.records[uri] = record(text, self.now) | {"createdAt": self.records[uri]["createdAt"]}

    def repost(self, uri: str, by: str) -> None:
        self.now += _STEP
        self.reposts.append((self.person(by)["did"], uri, self.now))

    def thread(self, length: int, by: str = "illa", *, under: str = "") -> list[str]:
        """A chain of self-replies."""
        uris = [self.post("1", by, reply_to=under)]
        for number in range(2, length + 1):
            uris.append(self.post(str(number), by, reply_to=uris[-1]))
        return uris

    def _reply(self, to: str) -> Json:
        parent = {"uri": to, "cid": cid(self.records.get(to))}
        return {"root": self.records.get(to, {}).get("reply", {}).get("root", parent), "parent": parent}

    # --- what the AppView makes of it ---

    def find(self, who: str) -> Json | None:
        return next((one for one in self.people.values() if who in {one["did"], one["handle"]}), None)

    def view(self, uri: str) -> Json | None:
        """None: there is no such post, as far as the AppView knows."""
        if uri not in self.records or uri in self.unknown:
            return None
        by = self.people[uri.split("/")[2]]
        answers = len(self._answers(uri))
        return view(self.records[uri], by, uri=uri, replyCount=answers) | self.shown.get(uri, {})

    def _answers(self, uri: str) -> list[str]:
        """The newest first."""
        return [one for one in self.answers.get(uri, [])[::-1] if one in self.records and one not in self.unknown]

    def tree(self, uri: str, depth: int = 6, height: int = HEIGHT) -> Json | None:
        """``app.bsky.feed.defs#threadViewPost``, cut as the real one is."""
        node = self._down(uri, min(depth, self.depth))
        return node and node | self._up(uri, min(height, HEIGHT))

    def _down(self, uri: str, depth: int) -> Json | None:
        shown = self.view(uri)
        if shown is None:
            return None
        node = {"$type": "app.bsky.feed.defs#threadViewPost", "post": shown, "threadContext": {}}
        if not depth:
            return node
        return node | {"replies": [self._down(answer, depth - 1) for answer in self._answers(uri)]}

    def _up(self, uri: str, height: int) -> Json:
        parent = self.records[uri].get("reply", {}).get("parent", {}).get("uri")
        if not parent or not height:
            return {}
        shown = self.view(parent)
        if shown is None:
            return {"parent": {"$type": "app.bsky.feed.defs#notFoundPost", "uri": parent, "notFound": True}}
        node = {"$type": "app.bsky.feed.defs#threadViewPost", "post": shown, "threadContext": {}}
        return {"parent": node | self._up(parent, height - 1)}

    def feed(self, who: str) -> list[tuple[str, Json]]:
        """An account's feed, newest first, each entry with what it is sorted by."""
        own = [uri for uri in self.records if uri.split("/")[2] == who]
        found = [(self._at(uri), {"post": shown}) for uri in own if (shown := self.view(uri))]
        for by, uri, at in self.reposts:
            if by == who and (shown := self.view(uri)):
                reason = {"$type": "app.bsky.feed.defs#reasonRepost", "by": self.people[by], "indexedAt": stamp(at)}
                found.append((stamp(at), {"post": shown, "reason": reason}))
        return sorted(found, key=lambda entry: entry[0], reverse=True)

    def search(self, tag: str) -> list[Json]:
        """Posts with a hashtag, newest first."""
        wanted = re.compile(rf"#{re.escape(tag)}(?!\w)", re.IGNORECASE)
        uris = [uri for uri, said in self.records.items() if wanted.search(said["text"])]
        return [shown for uri in sorted(uris, key=self._at, reverse=True) if (shown := self.view(uri))]

    def _at(self, uri: str) -> str:
        return str(self.records[uri]["createdAt"])
