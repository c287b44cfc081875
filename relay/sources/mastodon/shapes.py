"""What a Mastodon-compatible server sends, as far as it is read here (docs.joinmastodon.org/entities).

Everything has a default, and the parts that a post can do without stay raw until they are looked at: JSON of another
shape costs that part or that post, never the page.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from relay.sources.lenient import Raw, read, read_all
from relay.sources.limits import ITEMS, NAME, RECORD

Id = Annotated[str, msgspec.Meta(max_length=NAME)] | int | None
"""Opaque; a string by the documentation, a number on some old servers."""


class Field(msgspec.Struct):
    """A line of the table in a profile."""

    name: str | None = None
    value: str | None = None


class StatusAccount(msgspec.Struct):
    id: Id = None
    username: str | None = None
    acct: str | None = None
    display_name: str | None = None
    note: str | None = None
    url: str | None = None
    uri: str | None = None
    avatar: str | None = None
    avatar_static: str | None = None
    bot: bool | None = None
    discoverable: bool | None = None
    indexable: bool | None = None
    noindex: bool | None = None
    created_at: str | None = None
    fields: Raw = Raw()
    moved: Raw = Raw()


class AttachmentSize(msgspec.Struct):
    width: int | None = None
    height: int | None = None


class Meta(msgspec.Struct):
    original: AttachmentSize | None = None


class Attachment(msgspec.Struct):
    type: str | None = None
    url: str | None = None
    preview_url: str | None = None
    remote_url: str | None = None
    description: str | None = None
    meta: Raw = Raw()


class StatusPollOption(msgspec.Struct):
    title: str | None = None
    votes_count: int | None = None


class StatusPoll(msgspec.Struct):
    options: Raw = Raw()
    votes_count: int | None = None
    voters_count: int | None = None
    multiple: bool | None = None
    expires_at: str | None = None


class PreviewCard(msgspec.Struct):
    url: str | None = None
    title: str | None = None
    description: str | None = None
    image: str | None = None


class StatusQuote(msgspec.Struct):
    """The shallow form has the quoted post's id only; other servers give the quoted post itself in its place."""

    state: str | None = None
    quoted_status: Raw = Raw()
    quoted_status_id: Id = None


class Pleroma(msgspec.Struct):
    """What Pleroma tells beside the rest."""

    quote: Raw = Raw()
    quote_url: str | None = None


class Tag(msgspec.Struct):
    name: str | None = None


class StatusMention(msgspec.Struct):
    id: Id = None
    url: str | None = None
    acct: str | None = None


class Status(msgspec.Struct):
    id: Id = None
    uri: str | None = None
    url: str | None = None
    created_at: str | None = None
    edited_at: str | None = None
    visibility: str | None = None
    local_only: bool | None = None
    content: str | None = None
    spoiler_text: str | None = None
    sensitive: bool | None = None
    language: str | None = None
    in_reply_to_id: Id = None
    in_reply_to_account_id: Id = None
    replies_count: int | None = None
    account: StatusAccount | None = None
    reblog: Raw = Raw()
    quote: Raw = Raw()
    pleroma: Raw = Raw()
    poll: Raw = Raw()
    card: Raw = Raw()
    media_attachments: Raw = Raw()
    mentions: Raw = Raw()
    tags: Raw = Raw()

    @property
    def author(self) -> str:
        """The id of the author's account there."""
        return str(self.account.id) if self.account else ""

    @property
    def parent(self) -> str:
        """The id of what it answers; empty: nothing."""
        return str(self.in_reply_to_id or "")


class Notification(msgspec.Struct):
    id: Id = None
    type: str | None = None
    status: Raw = Raw()


class Named(msgspec.Struct):
    """Whatever has an id."""

    id: Id = None


class Context(msgspec.Struct):
    ancestors: Raw = Raw()
    descendants: Raw = Raw()


class ErrorBody(msgspec.Struct):
    error: str


class Access(msgspec.Struct):
    """Who may read a kind of timeline: ``public``, ``authenticated`` or ``disabled`` (since 4.5)."""

    local: str | None = None
    remote: str | None = None


class TimelinesAccess(msgspec.Struct):
    hashtag_feeds: Access | None = None


class Urls(msgspec.Struct):
    """``streaming_api`` is what it was called before 4.0."""

    streaming: str | None = None
    streaming_api: str | None = None


class Configuration(msgspec.Struct):
    timelines_access: TimelinesAccess | None = None
    urls: Urls | None = None


class Instance(msgspec.Struct):
    """``domain`` is that of its people's handles; GoToSocial calls it ``account_domain``."""

    domain: str | None = None
    account_domain: str | None = None
    version: str | None = None
    urls: Urls | None = None
    configuration: Raw = Raw()


def identified(raw: bytes | Raw) -> dict[str, Raw]:
    """The elements of a list by their ids, in its order; what has no id is left out."""
    items = ((read(item, Named), item) for item in (read(raw, list[Raw]) or ())[:ITEMS] if len(item) <= RECORD)
    return {str(named.id): item for named, item in items if named and named.id not in {None, ""}}


__all__ = ["Raw", "identified", "read", "read_all"]
