"""The library's methods for what this adapter sends, each given its body as the Bot API's documentation writes it."""

from __future__ import annotations

from typing import Any, Literal

from telegram import (
    Bot,
    InputMedia,
    InputMediaAudio,
    InputMediaDocument,
    InputMediaPhoto,
    InputMediaVideo,
    Message,
)

from adapters.telegram.card import Method
from adapters.telegram.message_ids import Kind, TelegramMessage
from adapters.telegram.transport import NoSuchMethod

_ALBUM: dict[str, type[InputMedia]] = {
    "photo": InputMediaPhoto,
    "video": InputMediaVideo,
    "audio": InputMediaAudio,
    "document": InputMediaDocument,
}
EditMethod = Literal["editMessageText", "editMessageCaption", "editMessageReplyMarkup"]


async def put(bot: Bot, method: Method, chat: int | str, body: dict[str, Any]) -> tuple[TelegramMessage, ...]:
    """Send one part of a post; the messages that it became."""
    if method == "sendMediaGroup":
        rest = {key: value for key, value in body.items() if key != "media"}
        album = await bot.send_media_group(chat, [_item(one) for one in body["media"]], api_kwargs=rest)  # type: ignore[misc]  # the four kinds above
        return tuple(TelegramMessage("album", one.chat.id, one.message_id) for one in album)
    message = await _one(bot, method, chat, body)
    return (_posted("text" if method == "sendMessage" else "caption", message),)


async def _one(bot: Bot, method: Method, chat: int | str, body: dict[str, Any]) -> Message:
    match method:
        case "sendMessage":
            return await bot.send_message(chat, body["text"], api_kwargs=body)
        case "sendPhoto":
            return await bot.send_photo(chat, body["photo"], api_kwargs=body)
        case "sendVideo":
            return await bot.send_video(chat, body["video"], api_kwargs=body)
        case "sendAnimation":
            return await bot.send_animation(chat, body["animation"], api_kwargs=body)
        case "sendAudio":
            return await bot.send_audio(chat, body["audio"], api_kwargs=body)
        case _:
            return await bot.send_document(chat, body["document"], api_kwargs=body)


async def put_rich(bot: Bot, chat: int | str, body: dict[str, Any]) -> tuple[TelegramMessage, ...] | None:
    """Send a rich message; None: this Bot API has none."""
    try:
        message = await bot.do_api_request("sendRichMessage", {"chat_id": chat, **body}, Message)
    except NoSuchMethod:
        return None
    return (_posted("rich", message),)


async def change(bot: Bot, method: EditMethod, posted: TelegramMessage, body: dict[str, Any]) -> None:
    """Edit one message of ours."""
    chat, message = posted.chat, posted.message
    match method:
        case "editMessageText":
            text = body.get("text")
            await bot.edit_message_text(text, chat, message, api_kwargs=body)  # type: ignore[arg-type]  # rich ones have none
        case "editMessageCaption":
            await bot.edit_message_caption(chat, message, api_kwargs=body)
        case "editMessageReplyMarkup":
            await bot.edit_message_reply_markup(chat, message, api_kwargs=body)


def _item(body: dict[str, Any]) -> InputMedia:
    rest = {key: value for key, value in body.items() if key not in {"type", "media"}}
    return _ALBUM[body["type"]](media=body["media"], api_kwargs=rest)  # type: ignore[call-arg]  # each of the four takes it alone


def _posted(kind: Kind, message: Message) -> TelegramMessage:
    return TelegramMessage(kind, message.chat.id, message.message_id)
