"""Messages in the shape of the API: made, edited, seen by a bot without the content intent, read by a person."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from tests.servers.discord.components import every
from tests.servers.discord.refusal import Refusal
from tests.servers.discord.rules import NO_EMBEDS, SILENT, V2
from tests.servers.discord.things import THREADS, Channel, Guild, Json, Permission
from tests.servers.discord.world import MESSAGES, World

_KEPT_FLAGS = V2 | SILENT | NO_EMBEDS


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def text_of(message: Json) -> str:
    """All that a reader sees as text: content, embeds, text displays and the labels of buttons are left out."""
    parts = [message.get("content") or ""]
    for embed in message.get("embeds") or []:
        parts += [(embed.get("author") or {}).get("name"), embed.get("title"), embed.get("description")]
        parts += [part[key] for part in embed.get("fields") or [] for key in ("name", "value")]
        parts.append((embed.get("footer") or {}).get("text"))
    parts += [part.get("content") for part in every(message.get("components") or []) if part.get("type") == 10]
    return "\n".join(part for part in parts if part)


def buttons_of(message: Json) -> list[Json]:
    return [part for part in every(message.get("components") or []) if part.get("type") == 2]


def make(world: World, channel: Channel, author: Json, body: Json, **more: Any) -> Json:
    """A message as the API tells it, not yet in any channel."""
    message: Json = {"id": world.ids.next(), "type": 0, "channel_id": channel.id, "author": author, "timestamp": now()}
    message |= {"edited_timestamp": None, "tts": bool(body.get("tts")), "pinned": False, "attachments": []}
    message |= {"content": "", "embeds": [], "components": [], "flags": (body.get("flags") or 0) & _KEPT_FLAGS}
    if body.get("nonce") is not None:
        message["nonce"] = body["nonce"]
    reference = body.get("message_reference")
    if reference:
        message |= {"type": 19, "message_reference": {"type": 0, "guild_id": channel.guild_id, **reference}}
    _write(channel.guild, channel, message, body)
    return {**message, **more}


def _write(guild: Guild, channel: Channel, message: Json, body: Json) -> None:
    if "content" in body:
        message["content"] = (body["content"] or "").strip()
    if "embeds" in body:
        message["embeds"] = [{"type": "rich", "content_scan_version": 0, **embed} for embed in body["embeds"] or []]
    if "components" in body:
        message["components"] = numbered(body["components"] or [])
    if body.get("attachments"):
        message["attachments"] = body["attachments"]
    message |= _pings(guild, channel, message, body.get("allowed_mentions"))


def numbered(components: Iterable[Json], start: int = 1) -> list[Json]:
    """With the ids that Discord gives to components that have none."""
    made, following = [], start
    for part in components:
        own = {**part, "id": part.get("id") or following}
        following += 1
        if "accessory" in own:
            own["accessory"] = numbered([own["accessory"]], following)[0]
            following += 1
        if "components" in own:
            own["components"] = numbered(own["components"], following)
            following += sum(1 for _ in every(own["components"]))
        made.append(own)
    return made


def _pings(guild: Guild, channel: Channel, message: Json, allowed: Json | None) -> Json:
    """Who is really pinged: named in the text, let by ``allowed_mentions`` and by the bot's permissions."""
    text = "\n".join(
        [message["content"], *(p.get("content", "") for p in every(message["components"]) if p["type"] == 10)]
    )
    parse = set(allowed.get("parse") or []) if allowed is not None else {"users", "roles", "everyone"}
    named = allowed or {}
    loud = bool(channel.permissions & Permission.MENTION_EVERYONE)
    users = [key for key in re.findall(r"<@!?(\d+)>", text) if "users" in parse or key in (named.get("users") or [])]
    roles = [key for key in re.findall(r"<@&(\d+)>", text) if "roles" in parse or key in (named.get("roles") or [])]
    known = [role for key in dict.fromkeys(roles) if (role := guild.role(key))]
    return {
        "mentions": [guild.people[key].json for key in dict.fromkeys(users) if key in guild.people],
        "mention_roles": [role.id for role in known if role.mentionable or loud],
        "mention_everyone": loud and "everyone" in parse and bool(re.search(r"@(everyone|here)\b", text)),
    }


def add(world: World, channel: Channel, message: Json) -> Json:
    """Into the channel, and told; an archived thread wakes up."""
    channel.messages[message["id"]] = message
    if channel.kind in THREADS:
        channel.message_count += message["id"] != channel.id
        if channel.archived:
            world.change_channel(channel, archived=False)
    told = {**as_seen(world, message), "guild_id": channel.guild_id}
    world.tell("MESSAGE_CREATE", told, channel.guild, MESSAGES)
    return message


def edit(world: World, channel: Channel, message: Json, body: Json) -> Json:
    """The message itself is changed, and told."""
    flags = body.get("flags")
    if flags is not None:
        message["flags"] = (message["flags"] & ~_KEPT_FLAGS) | (flags & _KEPT_FLAGS)
    _write(channel.guild, channel, message, body)
    message["edited_timestamp"] = now()
    if message["id"] in channel.messages:
        told = {**as_seen(world, message), "guild_id": channel.guild_id}
        world.tell("MESSAGE_UPDATE", told, channel.guild, MESSAGES)
    world.changed()
    return message


def remove(world: World, channel: Channel, message_id: str) -> None:
    del channel.messages[message_id]
    if channel.kind in THREADS:
        channel.message_count -= 1
    told = {"id": message_id, "channel_id": channel.id, "guild_id": channel.guild_id}
    world.tell("MESSAGE_DELETE", told, channel.guild, MESSAGES)


def find(channel: Channel, message_id: str) -> Json:
    message = channel.messages.get(message_id)
    if message is None:
        raise Refusal(404, 10008, "Unknown Message")
    return message


def as_seen(world: World, message: Json) -> Json:
    """What a bot without the content intent is shown of it."""
    mine = message["author"]["id"] == world.bot_id or message.get("application_id") == world.application_id
    if mine or any(person["id"] == world.bot_id for person in message["mentions"]):
        return message
    return {**message, "content": "", "embeds": [], "components": [], "attachments": []}


def same_nonce(world: World, author_id: str, body: Json) -> Json | None:
    """The earlier message with this nonce, where the sender asks for that; 10008 where it was deleted since."""
    nonce = body.get("nonce")
    kept = world.nonces.get((author_id, str(nonce))) if nonce is not None and body.get("enforce_nonce") else None
    if kept is None or time.monotonic() - kept[1] > world.nonce_ttl:
        return None
    return find(world.channels[kept[0]["channel_id"]], kept[0]["id"])


def keep_nonce(world: World, author_id: str, message: Json) -> None:
    if message.get("nonce") is not None:
        world.nonces[author_id, str(message["nonce"])] = (message, time.monotonic())
