"""What a Misskey server sends, as far as it is read here. Everything has a default: see the shapes beside it."""

from __future__ import annotations

from typing import Annotated

import msgspec

from relay.sources.limits import NAME
from relay.sources.mastodon.shapes import Raw

Name = Annotated[str, msgspec.Meta(max_length=NAME)]


class User(msgspec.Struct, rename="camel"):
    """``host`` is missing where the server's own people are meant."""

    id: Name | None = None
    username: str | None = None
    host: str | None = None
    name: str | None = None
    uri: str | None = None
    url: str | None = None
    avatar_url: str | None = None
    is_bot: bool | None = None
    created_at: str | None = None
    description: str | None = None
    no_crawle: bool | None = None
    is_explorable: bool | None = None
    moved_to: str | None = None


class FileSize(msgspec.Struct):
    width: int | None = None
    height: int | None = None


class File(msgspec.Struct, rename="camel"):
    type: str | None = None
    url: str | None = None
    thumbnail_url: str | None = None
    comment: str | None = None
    is_sensitive: bool | None = None
    properties: Raw = Raw()


class PollChoice(msgspec.Struct):
    text: str | None = None
    votes: int | None = None


class NotePoll(msgspec.Struct, rename="camel"):
    multiple: bool | None = None
    expires_at: str | None = None
    choices: Raw = Raw()


class MisskeyNote(msgspec.Struct, rename="camel"):
    id: Name | None = None
    user_id: Name | None = None
    created_at: str | None = None
    updated_at: str | None = None
    text: str | None = None
    cw: str | None = None
    user: User | None = None
    visibility: str | None = None
    local_only: bool | None = None
    uri: str | None = None
    url: str | None = None
    tags: Raw = Raw()
    files: Raw = Raw()
    poll: Raw = Raw()
    reply_id: Name | None = None
    reply: Raw = Raw()
    renote_id: Name | None = None
    renote: Raw = Raw()


class Refusal(msgspec.Struct):
    code: str | None = None


class ErrorReply(msgspec.Struct):
    error: Refusal
