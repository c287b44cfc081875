"""Messages as the Bot API shows them, and what a reader sees of them."""

from __future__ import annotations

import time
from typing import Any

from tests.servers.telegram.entities import part
from tests.servers.telegram.refusal import Json
from tests.servers.telegram.things import ANONYMOUS, TELEGRAM, Chat, Person

_CONTENT = (
    "text", "entities", "caption", "caption_entities", "photo", "video", "animation", "audio", "document",
    "rich_message", "link_preview_options", "has_media_spoiler", "show_caption_above_media",
)  # fmt: skip


def write(chat: Chat, author: Json, content: Json, reply: Json | None = None, topic: int | None = None) -> Json:
    """A new message in the chat."""
    made: Json = {"message_id": chat.next_id(), **author, "chat": chat.json, "date": int(time.time())}
    if topic:
        made |= {"message_thread_id": topic, "is_topic_message": True}
    elif reply and chat.kind == "supergroup" and not chat.is_forum:
        made["message_thread_id"] = reply.get("message_thread_id", reply["message_id"])
    if reply and reply["message_id"] != topic:
        made["reply_to_message"] = {key: value for key, value in reply.items() if key != "reply_to_message"}
    made |= content
    chat.posts[made["message_id"]] = made
    return made


def author_of(chat: Chat, person: Person, *, anonymous: bool = False, language: str | None = None) -> Json:
    """``from`` and ``sender_chat`` of a message."""
    if chat.kind == "channel":
        return {"sender_chat": chat.json}
    if anonymous:
        bot = {"id": ANONYMOUS, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}
        return {"from": bot, "sender_chat": chat.json}
    return {"from": {**person.json, **({"language_code": language} if language else {})}}


def forwarded(group: Chat, post: Json) -> Json:
    """A channel's post as it appears in the linked group by itself."""
    telegram = {"id": TELEGRAM, "is_bot": False, "first_name": "Telegram"}
    author = {"from": telegram, "sender_chat": post["chat"]}
    origin = {"type": "channel", "chat": post["chat"], "message_id": post["message_id"], "date": post["date"]}
    content = {key: post[key] for key in _CONTENT if key in post}
    return write(group, author, {"is_automatic_forward": True, "forward_origin": origin, **content})


def replace(message: Json, content: Json, markup: Json | None) -> None:
    """The message with other content, in place."""
    for key in (*_CONTENT, "reply_markup"):
        message.pop(key, None)
    message |= content
    if markup:
        message["reply_markup"] = markup
    message["edit_date"] = int(time.time())


def content_of(message: Json) -> Json:
    """All of it that an edit may change."""
    return {key: message[key] for key in (*_CONTENT, "reply_markup") if key in message}


def text_of(message: Json) -> str:
    """Text, caption or rich text: what is to be read."""
    if "rich_message" in message:
        return "\n".join(block["text"] for block in message["rich_message"]["blocks"] if block["text"])
    return str(message.get("text") or message.get("caption") or "")


def buttons_of(message: Json) -> list[Json]:
    """All buttons, row after row."""
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    return [button for row in rows for button in row]


def mentions_of(message: Json) -> list[str]:
    """Whom Telegram would call: ``@name`` that it made a link of, and people linked by id."""
    text = text_of(message)
    entities = message.get("entities") or message.get("caption_entities") or []
    found = [part(text, one) for one in entities if one["type"] in ("mention", "text_mention")]
    users = [one["url"] for one in entities if str(one.get("url", "")).startswith("tg://user")]
    return [*found, *users]


def update_field(chat: Chat) -> str:
    return "channel_post" if chat.kind == "channel" else "message"


def shown(content: Any) -> Any:
    """A copy that later edits do not reach."""
    if isinstance(content, dict):
        return {key: shown(value) for key, value in content.items()}
    return [shown(one) for one in content] if isinstance(content, list) else content
