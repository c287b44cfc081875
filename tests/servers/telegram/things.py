"""Chats, topics, people and their rights, and how the Bot API shows them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.servers.telegram.refusal import Json

ANONYMOUS = 1087968824
TELEGRAM = 777000
_RIGHTS = (
    "can_manage_chat", "can_delete_messages", "can_manage_video_chats", "can_restrict_members", "can_promote_members",
    "can_change_info", "can_invite_users", "can_post_stories", "can_edit_stories", "can_delete_stories",
)  # fmt: skip
_CHANNEL_RIGHTS = ("can_post_messages", "can_edit_messages", "can_manage_direct_messages")
_GROUP_RIGHTS = ("can_pin_messages", "can_manage_topics", "can_manage_tags")
RIGHTS = frozenset({*_RIGHTS, *_CHANNEL_RIGHTS, *_GROUP_RIGHTS})
PERMISSIONS = (
    "can_send_messages", "can_send_audios", "can_send_documents", "can_send_photos", "can_send_videos",
    "can_send_video_notes", "can_send_voice_notes", "can_send_polls", "can_send_other_messages",
    "can_add_web_page_previews", "can_change_info", "can_invite_users", "can_pin_messages", "can_manage_topics",
)  # fmt: skip


@dataclass(eq=False)
class Person:
    """Somebody, or a bot."""

    id: int
    first_name: str
    username: str | None = None
    language_code: str | None = "en"
    is_bot: bool = False
    started: bool = True
    """They wrote to the bot once, so it may write to them."""

    @property
    def json(self) -> Json:
        told = {"id": self.id, "is_bot": self.is_bot, "first_name": self.first_name}
        more = {"username": self.username, "language_code": self.language_code}
        return {**told, **{key: value for key, value in more.items() if value}}


@dataclass
class Topic:
    """A topic of a forum; its id is the message that made it."""

    id: int
    name: str
    closed: bool = False


@dataclass
class Member:
    """What somebody is in a chat."""

    person: Person
    status: str = "member"
    rights: frozenset[str] = frozenset()
    anonymous: bool = False

    @property
    def inside(self) -> bool:
        return self.status in ("creator", "administrator", "member", "restricted")

    @property
    def leads(self) -> bool:
        return self.status in ("creator", "administrator")

    def may(self, right: str) -> bool:
        return self.status == "creator" or (self.status == "administrator" and right in self.rights)

    def json(self, kind: str) -> Json:
        told: Json = {"status": self.status, "user": self.person.json}
        if self.status == "creator":
            return {**told, "is_anonymous": self.anonymous}
        if self.status == "kicked":
            return {**told, "until_date": 0}
        if self.status != "administrator":
            return told
        own = _CHANNEL_RIGHTS if kind == "channel" else _GROUP_RIGHTS
        rights = {name: name in self.rights or name == "can_manage_chat" for name in (*_RIGHTS, *own)}
        return {**told, "can_be_edited": False, "is_anonymous": self.anonymous, **rights}


@dataclass(eq=False)
class Chat:
    """Somewhere messages are."""

    id: int
    kind: str
    title: str = ""
    username: str | None = None
    is_forum: bool = False
    linked_id: int | None = None
    members: dict[int, Member] = field(default_factory=dict)
    topics: dict[int, Topic] = field(default_factory=dict)
    posts: dict[int, Json] = field(default_factory=dict)
    ours: set[int] = field(default_factory=set)
    permissions: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(PERMISSIONS, True))
    migrated_to: int | None = None
    gone: bool = False
    last_id: int = 0
    person: Person | None = None

    @property
    def grouped(self) -> bool:
        """Twenty a minute."""
        return self.kind != "private"

    def next_id(self) -> int:
        self.last_id += 1
        return self.last_id

    def member(self, person: Person) -> Member:
        return self.members.get(person.id) or Member(person, "left")

    @property
    def json(self) -> Json:
        if self.person:
            more = {"first_name": self.person.first_name, "username": self.person.username}
        else:
            more = {"title": self.title, "username": self.username}
        told = {"id": self.id, **{key: value for key, value in more.items() if value}, "type": self.kind}
        return {**told, "is_forum": True} if self.is_forum else told

    @property
    def full(self) -> Json:
        """As getChat tells it."""
        gifts = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels")
        told = {**self.json, "accent_color_id": 1, "max_reaction_count": 11}
        told["accepted_gift_types"] = dict.fromkeys(gifts, False)
        if self.username:
            told["active_usernames"] = [self.username]
        if self.kind in ("group", "supergroup"):
            told["permissions"] = dict(self.permissions)
        return {**told, "linked_chat_id": self.linked_id} if self.linked_id else told


def rights_of(names: Iterable[str]) -> frozenset[str]:
    """These rights, which must exist."""
    found = frozenset(names)
    assert found <= RIGHTS, f"there are no such rights: {sorted(found - RIGHTS)}"
    return found


def key_of(thing: Any) -> int:
    """The id of a chat, a topic, a person, a message, or the id itself."""
    if isinstance(thing, dict):
        return int(thing["message_id"])
    return int(getattr(thing, "id", thing))
