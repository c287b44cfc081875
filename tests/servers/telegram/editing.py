"""editMessage… and deleteMessage…"""

from __future__ import annotations

import time

from tests.servers.telegram import keyboard, messages, reach, rich, sending
from tests.servers.telegram.calls import Call, Operations
from tests.servers.telegram.refusal import Json, bad
from tests.servers.telegram.things import Chat
from tests.servers.telegram.world import World

operations = Operations()
_SAME = (
    "message is not modified: specified new message content and reply markup are exactly the same as a current content"
    " and reply markup of the message"
)
_MEDIA = ("photo", "video", "animation", "audio", "document")
_WORDS = ("text", "entities", "link_preview_options", "rich_message")
_CAPTION = ("caption", "caption_entities", "show_caption_above_media")


def _editable(world: World, call: Call) -> tuple[Chat, Json]:
    chat, message = reach.message(world, call.params, "message to edit not found")
    member = chat.member(world.bot)
    own = message["message_id"] in chat.ours
    if chat.kind == "channel" and not member.may("can_edit_messages" if not own else "can_post_messages"):
        raise bad("need administrator rights in the channel chat" if own else "message can't be edited")
    if not own and chat.kind != "channel":
        raise bad("message can't be edited")
    return chat, message


def _replace(world: World, call: Call, chat: Chat, message: Json, content: Json) -> Json:
    """Other content, where it is another; without reply_markup the buttons go."""
    markup = keyboard.checked(call.params.get("reply_markup"), inline_only=True)
    if markup and "media_group_id" in message:
        raise bad("message can't be edited")
    after = {**content, **({"reply_markup": markup} if markup else {})}
    if after == messages.content_of(message):
        raise bad(_SAME)
    world.buckets.take(chat.id, 1, grouped=chat.grouped)
    messages.replace(message, content, markup)
    return message


def _without(message: Json, *keys: str) -> Json:
    return {key: value for key, value in messages.content_of(message).items() if key not in (*keys, "reply_markup")}


@operations
def edit_message_text(world: World, call: Call) -> Json:
    chat, message = _editable(world, call)
    if "text" not in message and "rich_message" not in message:
        raise bad("there is no text in the message to edit")
    told = call.params.get("rich_message")
    if ("text" in call.params) == (told is not None):
        raise bad("message text is empty")
    content = sending.text_of(call.params) if told is None else rich.content(told, world.bad_urls)
    return _replace(world, call, chat, message, {**_without(message, *_WORDS), **content})


@operations
def edit_message_caption(world: World, call: Call) -> Json:
    chat, message = _editable(world, call)
    if not any(kind in message for kind in _MEDIA):
        raise bad("there is no caption in the message to edit")
    made = sending.words(call.params, "caption", "caption_entities", most=1024, name="message caption")
    if call.params.get("show_caption_above_media"):
        made["show_caption_above_media"] = True
    return _replace(world, call, chat, message, {**_without(message, *_CAPTION), **made})


@operations
def edit_message_media(world: World, call: Call) -> Json:
    chat, message = _editable(world, call)
    told = call.params["media"]
    if not isinstance(told, dict):
        raise bad("can't parse InputMedia: object expected")
    if "rich_message" in message:
        raise bad("message can't be edited")
    call.field = str(told.get("type"))
    kept = _without(message, *_MEDIA, *_WORDS, *_CAPTION, "has_media_spoiler")
    return _replace(world, call, chat, message, {**kept, **sending.item(world, call, told)})


@operations
def edit_message_reply_markup(world: World, call: Call) -> Json:
    chat, message = _editable(world, call)
    return _replace(world, call, chat, message, _without(message))


def _refuse_deleting(world: World, chat: Chat, message: Json) -> None:
    member, own = chat.member(world.bot), message["message_id"] in chat.ours
    if chat.kind != "private" and member.may("can_delete_messages"):
        return
    old = time.time() - message["date"] > world.delete_limit
    if chat.kind == "channel":
        own = own and member.may("can_post_messages")
    if old or not (own or chat.kind == "private"):
        raise bad("message can't be deleted")


@operations
def delete_message(world: World, call: Call) -> bool:
    chat, message = reach.message(world, call.params, "message to delete not found")
    _refuse_deleting(world, chat, message)
    world.delete_message(chat, message)
    return True


@operations
def delete_messages(world: World, call: Call) -> bool:
    chat = reach.reached(world, call.params["chat_id"])
    numbers = call.params["message_ids"]
    if not isinstance(numbers, list) or not 1 <= len(numbers) <= 100:
        raise bad("there must be 1 to 100 message identifiers")
    there = [chat.posts[number] for number in numbers if number in chat.posts]
    for one in there:
        _refuse_deleting(world, chat, one)
    for one in there:
        world.delete_message(chat, one)
    return True
