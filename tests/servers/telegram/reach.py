"""Where a call leads: the chat, whether the bot may write there, the topic, the message that is answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.servers.telegram.refusal import Json, Refusal, bad, forbidden
from tests.servers.telegram.things import Chat
from tests.servers.telegram.world import World


@dataclass(frozen=True)
class Place:
    """Where a message goes."""

    chat: Chat
    topic: int | None
    reply: Json | None


def named(world: World, key: Any) -> Chat | None:
    """The chat with this id or @name."""
    if isinstance(key, str) and key.startswith("@"):
        name = key[1:].lower()
        named = (one for one in world.chats.values() if (one.username or "").lower() == name)
        return next((one for one in named if not one.gone), None)
    return world.chats.get(key) if isinstance(key, int) else None


def found(world: World, key: Any) -> Chat:
    """The chat, where there is one that the bot can know of."""
    chat = named(world, key)
    if chat is None or chat.gone:
        raise bad("chat not found")
    if chat.migrated_to:
        raise bad("group chat was upgraded to a supergroup chat", migrate_to_chat_id=chat.migrated_to)
    return chat


def reached(world: World, key: Any) -> Chat:
    """The chat, where the bot is in it."""
    chat = found(world, key)
    member = chat.member(world.bot)
    if chat.person:
        return _private(chat, member.status)
    if member.status == "kicked":
        raise forbidden(f"bot was kicked from the {chat.kind} chat")
    if not member.inside:
        raise forbidden(f"bot is not a member of the {chat.kind} chat")
    return chat


def _private(chat: Chat, status: str) -> Chat:
    assert chat.person is not None
    if status == "kicked":
        raise forbidden("bot was blocked by the user")
    if not chat.person.started:
        raise forbidden("bot can't initiate conversation with a user")
    return chat


def allowed(world: World, params: Json, right: str, name: str) -> Chat:
    """The chat, where the bot may send such messages."""
    chat = reached(world, params["chat_id"])
    member = chat.member(world.bot)
    if chat.kind == "channel":
        if not member.may("can_post_messages"):
            raise bad("need administrator rights in the channel chat")
    elif chat.kind != "private" and not member.leads and not _permitted(chat, right):
        raise bad(f"not enough rights to send {name} to the chat")
    return chat


def _permitted(chat: Chat, right: str) -> bool:
    return chat.permissions["can_send_messages"] and chat.permissions[right]


def place(world: World, params: Json) -> Place:
    """Chat, topic and answered message of a send call."""
    chat = reached(world, params["chat_id"])
    thread = params.get("message_thread_id")
    topic = _topic(world, chat, thread) if thread is not None else None
    reply = _reply(world, chat, topic, params.get("reply_parameters"))
    if reply and topic is None and reply.get("is_topic_message"):
        topic = _topic(world, chat, reply["message_thread_id"])  # an answer goes to the topic of what it answers
    return Place(chat, topic, reply)


def _topic(world: World, chat: Chat, thread: int) -> int | None:
    if not chat.is_forum:
        if thread in chat.posts and chat.kind == "supergroup":
            return None
        raise bad("message thread not found")
    topic = chat.topics.get(thread)
    if topic is None:
        raise bad("message thread not found")
    if topic.closed and not chat.member(world.bot).may("can_manage_topics"):
        raise bad("TOPIC_CLOSED")
    return topic.id


def _reply(world: World, chat: Chat, topic: int | None, told: Any) -> Json | None:
    if told is None:
        return None
    if not isinstance(told, dict) or not isinstance(told.get("message_id"), int):
        raise bad("can't parse reply parameters: message_id expected")
    elsewhere = told.get("chat_id", chat.id) not in (chat.id, f"@{chat.username}")
    there = found(world, told["chat_id"]) if elsewhere else chat
    answered = there.posts.get(told["message_id"])
    if answered is not None and (elsewhere or topic in (None, answered.get("message_thread_id"))):
        return None if elsewhere else answered
    if told.get("allow_sending_without_reply") and not elsewhere:
        return None
    raise bad("message to be replied not found")


def message(world: World, params: Json, missing: str) -> tuple[Chat, Json]:
    """The message that a call names."""
    if "inline_message_id" in params or "chat_id" not in params or "message_id" not in params:
        raise bad("message identifier is not specified")
    chat = reached(world, params["chat_id"])
    there = chat.posts.get(params["message_id"])
    if there is None:
        raise Refusal(400, f"Bad Request: {missing}")
    return chat, there
