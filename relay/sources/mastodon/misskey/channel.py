"""What is said on Misskey's websocket: the channel ``hashtag``, which needs no account. Pure."""

from __future__ import annotations

import msgspec

from relay.sources.mastodon.shapes import Raw, read


class _Inner(msgspec.Struct):
    id: str | None = None
    type: str | None = None
    body: Raw = Raw()


class _Outer(msgspec.Struct):
    type: str | None = None
    body: Raw = Raw()


def connect(tag: str) -> str:
    """Listen for a hashtag; what comes is marked with it."""
    body = {"channel": "hashtag", "id": tag, "params": {"q": [[tag]]}}
    return msgspec.json.encode({"type": "connect", "body": body}).decode()


def disconnect(tag: str) -> str:
    return msgspec.json.encode({"type": "disconnect", "body": {"id": tag}}).decode()


def read_frame(text: str) -> tuple[str, Raw] | None:
    """The hashtag and the note in a frame; None where it holds none."""
    outer = read(text.encode("utf-8", "replace"), _Outer)
    inner = read(outer.body, _Inner) if outer and outer.type == "channel" else None
    return (inner.id, inner.body) if inner and inner.type == "note" and inner.id else None
