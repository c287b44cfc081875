"""What a Discord consists of, and who may do what where."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

TEXT, CATEGORY, NEWS, NEWS_THREAD, THREAD, FORUM = 0, 4, 5, 10, 11, 15
THREADS = {NEWS_THREAD, THREAD, 12}
REQUIRE_TAG = 1 << 4
_EPOCH = 1_420_070_400_000


class Permission:
    """The bits that matter to a relay, under the names of this server's tests."""

    MANAGE_CHANNELS = 1 << 4
    ADMINISTRATOR = 1 << 3
    MANAGE_GUILD = 1 << 5
    VIEW = 1 << 10
    SEND = 1 << 11
    MANAGE_MESSAGES = 1 << 13
    EMBED = 1 << 14
    ATTACH = 1 << 15
    HISTORY = 1 << 16
    MENTION_EVERYONE = 1 << 17
    MANAGE_ROLES = 1 << 28
    MANAGE_WEBHOOKS = 1 << 29
    COMMANDS = 1 << 31
    MANAGE_THREADS = 1 << 34
    CREATE_THREADS = 1 << 35
    SEND_IN_THREADS = 1 << 38
    USUAL = (
        VIEW | SEND | EMBED | ATTACH | HISTORY | MANAGE_WEBHOOKS | MANAGE_THREADS | CREATE_THREADS | SEND_IN_THREADS
    )  # fmt: skip
    EVERYONE = VIEW | SEND | EMBED | HISTORY | COMMANDS | SEND_IN_THREADS
    ALL = (1 << 53) - 1


@dataclass(eq=False)
class Snowflakes:
    """Ids that grow, with the real time in them."""

    _last: int = 0

    def next(self) -> str:
        now = (int(time.time() * 1000) - _EPOCH) << 22
        self._last = max(now, self._last + 1)
        return str(self._last)


@dataclass(eq=False)
class Role:
    id: str
    name: str
    permissions: int = 0
    mentionable: bool = False
    managed: bool = False
    position: int = 1

    @property
    def json(self) -> Json:
        look = {"color": 0, "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None}}
        rest: Json = {
            "hoist": False,
            "icon": None,
            "unicode_emoji": None,
            "position": self.position,
            "flags": 0,
            "tags": {},
        }
        own = {"id": self.id, "name": self.name, "permissions": str(self.permissions), "managed": self.managed}
        return {**own, **look, **rest, "mentionable": self.mentionable, "description": None}


@dataclass(eq=False)
class Person:
    id: str
    name: str
    bot: bool = False

    @property
    def json(self) -> Json:
        own: Json = {"id": self.id, "username": self.name, "global_name": self.name.title(), "bot": self.bot}
        rest: Json = {"discriminator": "0", "avatar": None, "public_flags": 0, "flags": 0, "banner": None}
        return {
            **own,
            **rest,
            "accent_color": None,
            "clan": None,
            "primary_guild": None,
            "avatar_decoration_data": None,
        }


@dataclass(eq=False)
class Tag:
    id: str
    name: str

    @property
    def json(self) -> Json:
        return {"id": self.id, "name": self.name, "moderated": False, "emoji_id": None, "emoji_name": None}


@dataclass(eq=False)
class Overwrite:
    kind: int
    """0: a role's, 1: a member's."""
    allow: int = 0
    deny: int = 0


@dataclass(eq=False)
class Webhook:
    id: str
    token: str
    channel: Channel
    name: str
    api_url: str
    application_id: str | None = None
    user: Person | None = None

    @property
    def channel_id(self) -> str:
        return self.channel.id

    @property
    def url(self) -> str:
        """As a person copies it, with this server in the place of discord.com."""
        return f"{self.api_url}/webhooks/{self.id}/{self.token}"

    @property
    def json(self) -> Json:
        own: Json = {"id": self.id, "type": 1, "token": self.token, "name": self.name, "avatar": None, "url": self.url}
        own |= {"channel_id": self.channel.id, "guild_id": self.channel.guild_id, "application_id": self.application_id}
        return {**own, "user": self.user.json} if self.user else own


@dataclass(eq=False)
class Guild:
    id: str
    name: str
    owner_id: str
    bot_id: str
    roles: list[Role] = field(default_factory=list)
    members: dict[str, list[str]] = field(default_factory=dict)
    """The ids of each member's roles."""
    people: dict[str, Person] = field(default_factory=dict)
    channels: list[Channel] = field(default_factory=list)
    left: bool = False
    away: bool = False
    """An outage."""
    locale: str = "en-US"

    def permissions_of(self, user_id: str, channel: Channel | None = None) -> int:
        """As the documentation has it: owner, roles, then the overwrites of everybody, of the roles, of the member."""
        mine = {self.id, *self.members.get(user_id, [])}
        bits = _union(role.permissions for role in self.roles if role.id in mine)
        if user_id == self.owner_id or bits & Permission.ADMINISTRATOR:
            return Permission.ALL
        home = channel and channel.home
        if home:
            bits = _overwritten(bits, home.overwrites, self.id, mine - {self.id}, user_id)
        return bits if bits & Permission.VIEW or not channel else 0

    def role(self, role_id: str) -> Role | None:
        return next((role for role in self.roles if role.id == role_id), None)

    def member_json(self, user_id: str) -> Json:
        joined = {"joined_at": "2026-01-05T08:00:00.000000+00:00", "premium_since": None, "deaf": False, "mute": False}
        own: Json = {
            "user": self.people[user_id].json,
            "roles": list(self.members[user_id]),
            "flags": 0,
            "pending": False,
        }
        look = {"nick": None, "avatar": None, "banner": None, "communication_disabled_until": None}
        return {**own, **joined, **look}

    @property
    def json(self) -> Json:
        own: Json = {"id": self.id, "name": self.name, "owner_id": self.owner_id, "preferred_locale": self.locale}
        own |= {"roles": [role.json for role in self.roles], "features": ["COMMUNITY"], "emojis": [], "stickers": []}
        own |= dict.fromkeys(["icon", "splash", "discovery_splash", "banner", "description", "application_id"])
        own |= dict.fromkeys(["afk_channel_id", "system_channel_id", "rules_channel_id", "public_updates_channel_id"])
        own |= dict.fromkeys(["vanity_url_code", "widget_channel_id", "safety_alerts_channel_id", "home_header"])
        own |= {
            "verification_level": 1,
            "default_message_notifications": 1,
            "explicit_content_filter": 2,
            "mfa_level": 0,
        }
        own |= {"premium_tier": 0, "nsfw_level": 0, "nsfw": False, "system_channel_flags": 0, "afk_timeout": 300}
        own |= {
            "max_members": 500_000,
            "max_video_channel_users": 25,
            "widget_enabled": False,
            "premium_subscription_count": 0,
        }
        return {
            **own,
            "premium_progress_bar_enabled": False,
            "region": "deprecated",
            "max_stage_video_channel_users": 50,
        }

    @property
    def created(self) -> Json:
        """GUILD_CREATE."""
        channels = [channel.json for channel in self.channels if channel.kind not in THREADS]
        threads = [channel.json for channel in self.channels if channel.kind in THREADS and not channel.archived]
        rest: Json = {"joined_at": "2026-01-05T08:00:00.000000+00:00", "large": False, "unavailable": False}
        rest |= {key: [] for key in ("voice_states", "presences", "stage_instances", "guild_scheduled_events")}
        rest |= {"soundboard_sounds": [], "member_count": len(self.members)}
        return {
            **self.json,
            **rest,
            "channels": channels,
            "threads": threads,
            "members": [self.member_json(self.bot_id)],
        }


@dataclass(eq=False)
class Channel:
    id: str
    guild: Guild
    name: str
    kind: int = TEXT
    parent: Channel | None = None
    nsfw: bool = False
    archived: bool = False
    locked: bool = False
    require_tag: bool = False
    tags: list[Tag] = field(default_factory=list)
    applied_tags: list[str] = field(default_factory=list)
    overwrites: dict[str, Overwrite] = field(default_factory=dict)
    messages: dict[str, Json] = field(default_factory=dict)
    owner_id: str = ""
    archive_after: int = 1440
    gone: bool = False
    message_count: int = 0

    @property
    def guild_id(self) -> str:
        return self.guild.id

    @property
    def parent_id(self) -> str | None:
        return self.parent.id if self.parent else None

    @property
    def home(self) -> Channel:
        """Where the overwrites are: a thread has its parent's."""
        return self.parent if self.kind in THREADS and self.parent else self

    @property
    def mention(self) -> str:
        return f"<#{self.id}>"

    @property
    def permissions(self) -> int:
        """The bot's own."""
        return self.guild.permissions_of(self.guild.bot_id, self)

    @property
    def json(self) -> Json:
        last = max(self.messages, key=int, default=None)
        own: Json = {"id": self.id, "type": self.kind, "guild_id": self.guild.id, "name": self.name, "flags": 0}
        own |= {"parent_id": self.parent_id, "last_message_id": last, "rate_limit_per_user": 0}
        return own | (self._as_thread() if self.kind in THREADS else self._as_channel())

    def _as_thread(self) -> Json:
        state: Json = {"archived": self.archived, "locked": self.locked, "auto_archive_duration": self.archive_after}
        state |= {"archive_timestamp": "2026-11-23T08:00:00.000000+00:00", "create_timestamp": None}
        own: Json = {"owner_id": self.owner_id, "thread_metadata": state, "message_count": self.message_count}
        return {**own, "member_count": 1, "total_message_sent": self.message_count, "applied_tags": self.applied_tags}

    def _as_channel(self) -> Json:
        whose = [
            {"id": key, "type": it.kind, "allow": str(it.allow), "deny": str(it.deny)}
            for key, it in self.overwrites.items()
        ]
        own: Json = {
            "position": 0,
            "nsfw": self.nsfw,
            "topic": None,
            "permission_overwrites": whose,
            "last_pin_timestamp": None,
        }
        if self.kind == FORUM:
            own |= {"available_tags": [tag.json for tag in self.tags], "flags": REQUIRE_TAG * self.require_tag}
            own |= {
                "default_reaction_emoji": None,
                "default_sort_order": None,
                "default_forum_layout": 0,
                "template": "",
            }
        return own


def _union(bits: Iterable[int]) -> int:
    whole = 0
    for some in bits:
        whole |= some
    return whole


def _overwritten(bits: int, overwrites: dict[str, Overwrite], everyone: str, roles: set[str], user_id: str) -> int:
    named = [overwrites[role] for role in roles if role in overwrites]
    steps = [
        overwrites.get(everyone),
        Overwrite(0, _union(one.allow for one in named), _union(one.deny for one in named)),
        overwrites.get(user_id),
    ]
    for step in steps:
        if step:
            bits = (bits & ~step.deny) | step.allow
    return bits
