"""What is said on Mastodon's websocket (docs.joinmastodon.org/methods/streaming). Pure."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from relay.sources.mastodon.shapes import Raw, read
from relay.text import clean


@dataclass(frozen=True, slots=True)
class New:
    """A post appeared in the stream of ``tag``; empty where the server does not say in which."""

    tag: str
    status: bytes


@dataclass(frozen=True, slots=True)
class Changed:
    """A post was edited, as above."""

    tag: str
    status: bytes


@dataclass(frozen=True, slots=True)
class DeletedStatus:
    """A post was deleted; ``id`` is its name at that server."""

    id: str


@dataclass(frozen=True, slots=True)
class Complaint:
    """The server does not do what it was asked."""

    reason: str


Said = New | Changed | DeletedStatus | Complaint

_EVENTS: dict[str, type[New] | type[Changed]] = {
    "update": New,
    "status.update": Changed,
    "status_update": Changed,  # as some servers have it
}


class _Frame(msgspec.Struct):
    stream: Raw = Raw()
    event: str | None = None
    payload: Raw = Raw()
    error: str | None = None


def subscribe(tag: str) -> str:
    return msgspec.json.encode({"type": "subscribe", "stream": "hashtag", "tag": tag}).decode()


def unsubscribe(tag: str) -> str:
    return msgspec.json.encode({"type": "unsubscribe", "stream": "hashtag", "tag": tag}).decode()


def read_frame(text: str) -> Said | None:
    """What a frame says; None of what is no concern of ours, whatever it is."""
    frame = read(text.encode("utf-8", "replace"), _Frame)
    if frame is None:
        return None
    if frame.error:
        return Complaint(clean(frame.error, limit=200))
    if frame.event == "delete":
        identifier = read(frame.payload, str)
        return DeletedStatus(identifier.strip()) if identifier and identifier.strip() else None
    kind = _EVENTS.get(frame.event or "")
    return kind(_tag(frame.stream), _status(frame.payload)) if kind else None


def _tag(stream: Raw) -> str:
    """``["hashtag", "foo"]``."""
    names = read(stream, list[str]) or []
    return names[1] if len(names) > 1 else ""


def _status(payload: Raw) -> bytes:
    """JSON within a string of JSON; an object where a server forgot that."""
    text = read(payload, str) if bytes(payload)[:1] == b'"' else None
    return text.encode("utf-8", "replace") if text is not None else bytes(payload)
