"""REST about channels: messages, threads, forum posts, crossposts."""

from __future__ import annotations

from typing import Any

from tests.servers.discord import messages
from tests.servers.discord.refusal import Refusal, check_length, invalid
from tests.servers.discord.rest import Answer, Ask, Routes
from tests.servers.discord.rules import EPHEMERAL, check_edit, check_message
from tests.servers.discord.things import FORUM, NEWS, TEXT, THREADS, Channel, Json, Permission
from tests.servers.discord.world import World

routes = Routes()
CROSSPOSTED, HAS_THREAD = 1 << 0, 1 << 5
_SPANS = {60, 1440, 4320, 10080}


@routes("GET", "/channels/*")
def get_channel(world: World, ask: Ask) -> Answer:
    return 200, world.visible(ask.ids[0]).json


@routes("PATCH", "/channels/*")
def change_channel(world: World, ask: Ask) -> Answer:
    channel = world.visible(ask.ids[0])
    changes = ask.fields
    if channel.kind not in THREADS:
        world.allowed(channel.id, Permission.MANAGE_CHANNELS)
    elif set(changes) - {"archived"} and channel.archived and changes.get("archived") is not False:
        raise Refusal(400, 50083, "Thread is archived")
    elif channel.owner_id != world.bot_id or "locked" in changes:
        world.allowed(channel.id, Permission.MANAGE_THREADS)
    if "name" in changes:
        check_length(changes["name"], "name", 1, 100)
    names = {"archived", "locked", "name", "nsfw", "applied_tags"}
    world.change_channel(channel, **{key: value for key, value in changes.items() if key in names})
    return 200, channel.json


@routes("DELETE", "/channels/*")
def delete_channel(world: World, ask: Ask) -> Answer:
    channel = world.visible(ask.ids[0])
    thread = channel.kind in THREADS
    world.allowed(channel.id, Permission.MANAGE_THREADS if thread else Permission.MANAGE_CHANNELS)
    told = channel.json
    world.remove_channel(channel)
    return 200, told


@routes("GET", "/channels/*/messages")
def list_messages(world: World, ask: Ask) -> Answer:
    channel = world.visible(ask.ids[0])
    limit = int(ask.query.get("limit", "50"))
    if not 1 <= limit <= 100:
        raise invalid("limit", "int value should be between 1 and 100.", "NUMBER_TYPE_MAX")
    if not channel.permissions & Permission.HISTORY:
        return 200, []
    after, before = int(ask.query.get("after", "0")), int(ask.query.get("before", str(1 << 63)))
    found = sorted((int(key) for key in channel.messages if after < int(key) < before), reverse=True)
    page = found[-limit:] if "after" in ask.query else found[:limit]
    return 200, [messages.as_seen(world, channel.messages[str(key)]) for key in page]


@routes("GET", "/channels/*/messages/*")
def get_message(world: World, ask: Ask) -> Answer:
    channel = world.allowed(ask.ids[0], Permission.HISTORY)
    return 200, messages.as_seen(world, messages.find(channel, ask.ids[1]))


@routes("POST", "/channels/*/messages", bucket="message")
def create_message(world: World, ask: Ask) -> Answer:
    channel = world.writable(ask.ids[0])
    body = ask.fields
    check_message(body)
    if (body.get("flags") or 0) & EPHEMERAL:
        raise invalid("flags", "Only interactions answer in secret.", "INVALID_MESSAGE_FLAGS")
    _check_reference(channel, body.get("message_reference"))
    known = messages.same_nonce(world, world.bot_id, body)
    if known:
        return 200, known
    made = messages.make(world, channel, world.bot.json, body)
    messages.keep_nonce(world, world.bot_id, made)
    return 200, messages.add(world, channel, made)


def _check_reference(channel: Channel, reference: Json | None) -> None:
    if not reference or reference.get("fail_if_not_exists") is False:
        return
    if str(reference.get("message_id")) not in channel.messages:
        raise invalid("message_reference", "Unknown message", "REPLIES_UNKNOWN_MESSAGE")


@routes("PATCH", "/channels/*/messages/*", bucket="edit")
def edit_message(world: World, ask: Ask) -> Answer:
    channel = world.visible(ask.ids[0])
    message = messages.find(channel, ask.ids[1])
    if message["author"]["id"] != world.bot_id:
        raise Refusal(403, 50005, "Cannot edit a message authored by another user")
    if channel.archived:
        raise Refusal(400, 50083, "Thread is archived")
    check_edit(message, ask.fields)
    return 200, messages.edit(world, channel, message, ask.fields)


@routes("DELETE", "/channels/*/messages/*", bucket="delete")
def delete_message(world: World, ask: Ask) -> Answer:
    channel = world.visible(ask.ids[0])
    message = messages.find(channel, ask.ids[1])
    if message["author"]["id"] != world.bot_id:
        world.allowed(channel.id, Permission.MANAGE_MESSAGES)
    if channel.archived:
        raise Refusal(400, 50083, "Thread is archived")
    messages.remove(world, channel, message["id"])
    return 204, None


@routes("POST", "/channels/*/messages/*/crosspost", bucket="crosspost")
def crosspost(world: World, ask: Ask) -> Answer:
    channel = world.visible(ask.ids[0])
    if channel.kind != NEWS:
        raise Refusal(400, 50024, "Cannot execute action on this channel type")
    message = messages.find(channel, ask.ids[1])
    mine = message["author"]["id"] == world.bot_id
    world.allowed(channel.id, Permission.SEND if mine else Permission.SEND | Permission.MANAGE_MESSAGES)
    if message["flags"] & CROSSPOSTED:
        raise Refusal(400, 40033, "This message has already been crossposted.")
    message["flags"] |= CROSSPOSTED
    world.changed()
    return 200, message


def _check_thread(body: Json) -> None:
    check_length(body.get("name"), "name", 1, 100)
    if body.get("auto_archive_duration", 1440) not in {*_SPANS, None}:
        raise invalid("auto_archive_duration", f"Must be one of {sorted(_SPANS)}.", "BASE_TYPE_CHOICES")


@routes("POST", "/channels/*/messages/*/threads", bucket="thread")
def thread_of_message(world: World, ask: Ask) -> Answer:
    channel = world.allowed(ask.ids[0], Permission.CREATE_THREADS)
    if channel.kind not in (TEXT, NEWS):
        raise Refusal(400, 50024, "Cannot execute action on this channel type")
    message = messages.find(channel, ask.ids[1])
    _check_thread(ask.fields)
    if message["flags"] & HAS_THREAD:
        raise Refusal(400, 160004, "A thread has already been created for this message")
    span = ask.fields.get("auto_archive_duration") or 1440
    made = world.add_thread(channel, message["id"], ask.fields["name"], world.bot_id, archive_after=span)
    message["flags"] |= HAS_THREAD
    message["thread"] = made.json
    return 201, made.json


@routes("POST", "/channels/*/threads", bucket="thread")
def start_thread(world: World, ask: Ask) -> Answer:
    """A post in a forum; threads without a message are nothing that a relay makes."""
    channel = world.allowed(ask.ids[0], Permission.SEND)
    body = ask.fields
    if channel.kind != FORUM:
        raise Refusal(400, 50024, "Cannot execute action on this channel type")
    _check_thread(body)
    check_message(body.get("message") or {})
    return 201, post_in_forum(world, channel, body, body["message"], world.bot.json)


def post_in_forum(world: World, forum: Channel, body: Json, message: Json, author: Json, **more: Any) -> Json:
    """A new post: the thread and its first message, which share their id."""
    tags = [str(tag) for tag in body.get("applied_tags") or []]
    if len(tags) > 5 or set(tags) - {tag.id for tag in forum.tags}:
        raise invalid("applied_tags", "Unknown tag, or more than 5.", "INVALID_FORUM_TAG")
    if forum.require_tag and not tags:
        raise Refusal(400, 40067, "A tag is required to create a forum post in this channel")
    span = body.get("auto_archive_duration") or 1440
    name = body.get("name") or body["thread_name"]
    thread = world.add_thread(forum, world.ids.next(), name, author["id"], archive_after=span, applied_tags=tags)
    made = messages.make(world, thread, author, message, **{**more, "id": thread.id})
    return {**thread.json, "message": messages.add(world, thread, made)}


@routes("GET", "/channels/*/threads/archived/public")
def list_archived(world: World, ask: Ask) -> Answer:
    channel = world.allowed(ask.ids[0], Permission.HISTORY)
    found = [thread.json for thread in world.threads(channel) if thread.archived]
    return 200, {"threads": found, "members": [], "has_more": False}


@routes("PUT", "/channels/*/thread-members/@me")
def join_thread(world: World, ask: Ask) -> Answer:
    world.visible(ask.ids[0])
    return 204, None


@routes("POST", "/channels/*/typing")
def typing(world: World, ask: Ask) -> Answer:
    world.writable(ask.ids[0])
    return 204, None
