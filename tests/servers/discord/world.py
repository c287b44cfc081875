"""The state of a small Discord, and what a test changes in it; every change is told to the gateway."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable
from typing import Any

from tests.servers.discord.buckets import Buckets
from tests.servers.discord.faults import Faults
from tests.servers.discord.refusal import Refusal
from tests.servers.discord.things import (
    CATEGORY,
    FORUM,
    TEXT,
    THREADS,
    Channel,
    Guild,
    Json,
    Overwrite,
    Permission,
    Person,
    Role,
    Snowflakes,
    Tag,
    Webhook,
)

GUILDS, WEBHOOKS, MESSAGES, CONTENT = 1 << 0, 1 << 5, 1 << 9, 1 << 15


class World:
    """Guilds, channels and people, kept in memory; ``tell`` is where the gateway listens."""

    def __init__(self, *, window: float = 1.0, nonce_ttl: float = 300.0) -> None:
        self.ids = Snowflakes()
        self.buckets = Buckets(window=window)
        self.faults = Faults()
        self.nonce_ttl = nonce_ttl
        self.token = f"loopback.{secrets.token_urlsafe(24)}"
        self.revoked = False
        self.bad_urls: set[str] = set()
        """Addresses that are refused wherever one is wanted: of a picture, an avatar, a button."""
        self.api_url = ""
        self.bot = Person(self.ids.next(), "chasqui", bot=True)
        self.bot_id = self.application_id = self.bot.id
        self.guilds: dict[str, Guild] = {}
        self.channels: dict[str, Channel] = {}
        self.hooks: dict[str, Webhook] = {}
        self.people: dict[str, Person] = {self.bot_id: self.bot}
        self.nonces: dict[tuple[str, str], tuple[Json, float]] = {}
        self.commands: list[Json] = []
        self.guild_commands: dict[str, list[Json]] = {}
        self.syncs = 0
        self._moved = asyncio.Event()
        self._furnish()

    def _furnish(self) -> None:
        self.guild = self.add_guild("Qeswachaka")
        self.channel = next(iter(self.channels.values()))
        bits = Permission.MANAGE_CHANNELS | Permission.MANAGE_WEBHOOKS
        self.manager = self.add_person("sami", permissions=bits)
        self.visitor = self.add_person("illa")

    # --- waiting ---

    def changed(self) -> None:
        """Wake whoever waits for something here."""
        self._moved.set()
        self._moved = asyncio.Event()

    async def wait_until(self, condition: Callable[[], object], seconds: float = 10) -> None:
        """Until the condition on this server holds; an AssertionError where it does not in time."""
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    await self._moved.wait()
        except TimeoutError:
            if not condition():
                raise AssertionError(f"it did not come true within {seconds:g} s") from None

    def tell(self, event: str, data: Json, guild: Guild, intent: int = GUILDS) -> None:
        """Something changed that those with this intent hear of."""
        self.changed()

    # --- guilds ---

    def add_guild(self, name: str = "Guild", *, permissions: int = Permission.USUAL) -> Guild:
        """A guild with the bot in it, whose own role has these permissions, and #general."""
        owner = Person(self.ids.next(), "owner")
        guild = Guild(self.ids.next(), name, owner.id, self.bot_id)
        guild.roles = [
            Role(guild.id, "@everyone", Permission.EVERYONE, position=0),
            Role(self.ids.next(), "chasqui", permissions, managed=True),
        ]
        guild.people = {owner.id: owner, self.bot_id: self.bot}
        guild.members = {owner.id: [], self.bot_id: [guild.roles[1].id]}
        self.guilds[guild.id] = guild
        general = Channel(self.ids.next(), guild, "general")
        guild.channels.append(general)
        self.channels[general.id] = general
        self.tell("GUILD_CREATE", guild.created, guild)
        return guild

    def remove_guild(self, guild: Guild | str) -> None:
        """The bot is thrown out."""
        gone = self.find_guild(guild)
        gone.left = True
        self.tell("GUILD_DELETE", {"id": gone.id}, gone)

    def outage(self, guild: Guild | str) -> None:
        away = self.find_guild(guild)
        away.away = True
        self.tell("GUILD_DELETE", {"id": away.id, "unavailable": True}, away)

    def recover(self, guild: Guild | str) -> None:
        back = self.find_guild(guild)
        back.away = back.left = False
        self.tell("GUILD_CREATE", back.created, back)

    def find_guild(self, guild: Guild | str | None) -> Guild:
        if guild is None:
            return self.guild
        return guild if isinstance(guild, Guild) else self.guilds[guild]

    # --- channels ---

    def add_channel(  # the keywords are a channel's own
        self,
        name: str = "news",
        *,
        guild: Guild | str | None = None,
        kind: int = TEXT,
        nsfw: bool = False,
        permissions: int | None = None,
        tags: Iterable[str] = (),
        require_tag: bool = False,
    ) -> Channel:
        home = self.find_guild(guild)
        made = Channel(self.ids.next(), home, name, kind, nsfw=nsfw, require_tag=require_tag)
        made.tags = [Tag(self.ids.next(), tag) for tag in tags]
        if permissions is not None:
            self._narrow(made, permissions)
        self._enter(made, "CHANNEL_CREATE")
        return made

    def _enter(self, made: Channel, event: str, **more: Any) -> None:
        self.channels[made.id] = made
        made.guild.channels.append(made)
        self.tell(event, {**made.json, **more}, made.guild)

    def add_thread(self, parent: Channel, thread_id: str, name: str, owner_id: str, **more: Any) -> Channel:
        """A thread or a forum post."""
        kind = 10 if parent.kind == 5 else 11
        made = Channel(thread_id, parent.guild, name, kind, parent, owner_id=owner_id, **more)
        self._enter(made, "THREAD_CREATE", newly_created=True)
        return made

    def remove_channel(self, channel: Channel | str) -> None:
        gone = self.find_channel(channel)
        gone.gone = True
        gone.guild.channels.remove(gone)
        for thread in [one for one in gone.guild.channels if one.parent is gone and one.kind in THREADS]:
            thread.gone = True
            gone.guild.channels.remove(thread)
        if gone.kind in THREADS:
            told = {"id": gone.id, "guild_id": gone.guild_id, "parent_id": gone.parent_id, "type": gone.kind}
            self.tell("THREAD_DELETE", told, gone.guild)
        else:
            self.tell("CHANNEL_DELETE", gone.json, gone.guild)

    def change_channel(self, channel: Channel | str, **changes: Any) -> None:
        """Its fields, by their names here (``nsfw``, ``name``, ``archived``, ``locked``, ``applied_tags`` …)."""
        it = self.find_channel(channel)
        for key, value in changes.items():
            if not hasattr(it, key):
                raise AssertionError(f"a channel has no {key}")
            setattr(it, key, value)
        self.tell("THREAD_UPDATE" if it.kind in THREADS else "CHANNEL_UPDATE", it.json, it.guild)

    def allow(self, channel: Channel | str, permissions: int) -> None:
        """What the bot may do there, no more and no less."""
        it = self.find_channel(channel).home
        self._narrow(it, permissions)
        self.tell("CHANNEL_UPDATE", it.json, it.guild)

    def _narrow(self, channel: Channel, permissions: int) -> None:
        channel.overwrites[self.bot_id] = Overwrite(1, permissions, Permission.ALL & ~permissions)

    def find_channel(self, channel: Channel | str) -> Channel:
        return channel if isinstance(channel, Channel) else self.channels[channel]

    def threads(self, channel: Channel | str | None = None) -> list[Channel]:
        """Those that are there, archived ones too."""
        under = self.find_channel(channel) if channel else None
        there = [one for one in self.channels.values() if one.kind in THREADS and not one.gone]
        return [one for one in there if under is None or one.parent is under]

    # --- people and their roles ---

    def add_role(
        self, name: str, *, guild: Guild | str | None = None, permissions: int = 0, mentionable: bool = False
    ) -> Role:
        home = self.find_guild(guild)
        made = Role(self.ids.next(), name, permissions, mentionable)
        home.roles.append(made)
        self.tell("GUILD_ROLE_CREATE", {"guild_id": home.id, "role": made.json}, home)
        return made

    def change_role(self, role: Role | str, *, permissions: int) -> None:
        """Any role of any guild, @everyone (its id is the guild's) too."""
        wanted = role if isinstance(role, str) else role.id
        home, found = next((guild, it) for guild in self.guilds.values() for it in guild.roles if it.id == wanted)
        found.permissions = permissions
        self.tell("GUILD_ROLE_UPDATE", {"guild_id": home.id, "role": found.json}, home)

    def add_person(
        self, name: str, *, guild: Guild | str | None = None, roles: Iterable[Role] = (), permissions: int | None = None
    ) -> Person:
        """A member; ``permissions`` are given by a role of their own."""
        home = self.find_guild(guild)
        made = self.people.setdefault(name, Person(self.ids.next(), name))
        mine = [role.id for role in roles]
        if permissions is not None:
            mine.append(self.add_role(f"of {name}", guild=home, permissions=permissions).id)
        self.people[made.id] = made
        home.people[made.id], home.members[made.id] = made, mine
        return made

    # --- webhooks ---

    def add_webhook(self, channel: Channel | str, *, name: str = "relay", ours: bool = False) -> Webhook:
        """One that a person made, or (``ours``) that belongs to the bot's application."""
        it = self.find_channel(channel)
        maker = self.bot if ours else self.people.get("sami")
        token = secrets.token_urlsafe(51)
        made = Webhook(self.ids.next(), token, it, name, self.api_url, self.application_id if ours else None, maker)
        self.hooks[made.id] = made
        self.tell("WEBHOOKS_UPDATE", {"guild_id": it.guild_id, "channel_id": it.id}, it.guild, WEBHOOKS)
        return made

    def remove_webhook(self, webhook: Webhook | str) -> None:
        gone = self.hooks.pop(webhook if isinstance(webhook, str) else webhook.id)
        where = gone.channel
        self.tell("WEBHOOKS_UPDATE", {"guild_id": where.guild_id, "channel_id": where.id}, where.guild, WEBHOOKS)

    def webhooks(self, channel: Channel | str) -> list[Webhook]:
        it = self.find_channel(channel)
        return [hook for hook in self.hooks.values() if hook.channel is it]

    # --- what REST asks first ---

    def visible(self, channel_id: str) -> Channel:
        """The channel, where it exists and the bot may see it."""
        it = self.channels.get(channel_id)
        if it is None or it.gone:
            raise Refusal(404, 10003, "Unknown Channel")
        if it.guild.left or not it.permissions & Permission.VIEW:
            raise Refusal(403, 50001, "Missing Access")
        return it

    def allowed(self, channel_id: str, needed: int) -> Channel:
        """The channel, where the bot has all these permissions."""
        it = self.visible(channel_id)
        if it.permissions & needed != needed:
            raise Refusal(403, 50013, "Missing Permissions")
        return it

    def writable(self, channel_id: str) -> Channel:
        """The channel, where the bot may post: it is no forum, no category and not locked."""
        it = self.visible(channel_id)
        if it.kind in (FORUM, CATEGORY):
            raise Refusal(400, 50008, "Cannot send messages in a non-text channel")
        if it.kind in THREADS and it.locked and not it.permissions & Permission.MANAGE_THREADS:
            raise Refusal(400, 50083, "Thread is archived")
        return self.allowed(channel_id, Permission.SEND_IN_THREADS if it.kind in THREADS else Permission.SEND)
