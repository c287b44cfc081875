"""The shape of a Jetstream's message (v1), as far as it decides whether somebody wants it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec

from relay.sources.bluesky.facets import facet_tags
from relay.sources.bluesky.shapes import Raw, read, read_all
from relay.sources.limits import TAGS

_TAG = "app.bsky.richtext.facet#tag"

_Micros = Annotated[int, msgspec.Meta(ge=10**15, lt=10**17)]  # a Unix time; smaller numbers are a server's own count


class _Feature(msgspec.Struct, gc=False):
    type: str | None = msgspec.field(name="$type", default=None)
    tag: str | None = None


class _Facet(msgspec.Struct, gc=False):
    features: list[_Feature] | None = None


class _Named(msgspec.Struct, gc=False):
    uri: str = ""


class _Reply(msgspec.Struct, gc=False):
    parent: _Named | None = None


class TagFeature(msgspec.Struct, gc=False):
    facets: list[_Facet] | None = None
    tags: list[str] | None = None
    reply: _Reply | None = None
    created: str | None = msgspec.field(name="createdAt", default=None)

    @property
    def answers(self) -> str:
        """The uri of the post that it answers, or an empty string."""
        return self.reply.parent.uri if self.reply and self.reply.parent else ""

    def names(self) -> Sequence[str]:
        """The hashtags, as they are written."""
        found = [
            feature.tag
            for facet in self.facets or ()
            for feature in facet.features or ()
            if feature.tag and feature.type == _TAG
        ]
        return (found[:TAGS] + self.tags[:TAGS]) if self.tags else found[:TAGS]


class Commit(msgspec.Struct, gc=False):
    operation: str = ""
    collection: str = ""
    rkey: str = ""
    rev: str = ""
    record: TagFeature | None = None


class AccountCommit(msgspec.Struct, gc=False):
    active: bool = True
    status: str | None = None


class FirehoseEvent(msgspec.Struct, gc=False):
    did: str
    time_us: _Micros
    kind: str = ""
    commit: Commit | None = None
    account: AccountCommit | None = None


_decode = msgspec.json.Decoder(FirehoseEvent).decode


# --- the same without trust in its parts ---


class _LooseRecord(msgspec.Struct):
    facets: Raw = Raw()
    tags: Raw = Raw()
    reply: Raw = Raw()
    created: Raw = msgspec.field(name="createdAt", default=Raw())


class _LooseCommit(msgspec.Struct):
    operation: str = ""
    collection: str = ""
    rkey: str = ""
    rev: str | None = None
    cid: str | None = None
    record: Raw = Raw()


class _LooseEvent(msgspec.Struct):
    did: str
    time_us: _Micros
    kind: str = ""
    commit: Raw = Raw()
    account: Raw = Raw()


def read_event(message: bytes) -> FirehoseEvent | None:
    """The event; where a part of it has another shape that part counts as missing, and None is no event at all."""
    try:
        return _decode(message)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        loose = read(message, _LooseEvent)
    if loose is None:
        return None
    account = read(loose.account, AccountCommit) if loose.account else None
    return FirehoseEvent(loose.did, loose.time_us, loose.kind, _read_commit(loose.commit), account)


def _read_commit(raw: Raw) -> Commit | None:
    loose = read(raw, _LooseCommit)
    if loose is None:
        return None
    commit = Commit(loose.operation, loose.collection, loose.rkey, loose.rev or "")
    if record := read(loose.record, _LooseRecord):
        features = [_Feature(_TAG, tag) for tag in facet_tags(record.facets)]
        names = read_all(record.tags, str)
        commit.record = TagFeature([_Facet(features)], names, read(record.reply, _Reply), read(record.created, str))
    return commit


def read_whole(message: bytes) -> tuple[str, bytes] | None:
    """The version and the record of a commit, untouched; None where it has no record."""
    envelope = read(message, _LooseEvent)
    commit = read(envelope.commit, _LooseCommit) if envelope else None
    return (commit.cid or "", bytes(commit.record)) if commit and commit.record else None
