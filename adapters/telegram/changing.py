"""What was sent is changed or taken back: each message in the way in which it holds its words."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from telegram import Bot, InputMediaPhoto
from telegram.error import BadRequest, TelegramError

from adapters.telegram.calls import Failed, TelegramCalls
from adapters.telegram.card import keyboard, markup, message
from adapters.telegram.entities import EntityText
from adapters.telegram.limits import CAPTION
from adapters.telegram.message_ids import TelegramMessage
from adapters.telegram.outcomes import TOO_OLD, UNCHANGED, VANISHED, outcome_of, refuses_text, says
from adapters.telegram.rich import rich, whole
from adapters.telegram.style import TelegramStyling
from adapters.telegram.writing import EditMethod, change
from relay.kit import readable
from relay.model import Card, Delivery
from relay.ports import Outcome, Refused, Sent, TryLater
from relay.text import units

# --- blank ---

# The empty picture that takes the place of one that its author took back, where Telegram deletes nothing any more.

_WIDTH, _HEIGHT, _GREY = 320, 180, 0xB0


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def picture() -> bytes:
    """A grey PNG (https://www.w3.org/TR/png-3/), a few hundred bytes."""
    lines = (b"\x00" + bytes([_GREY]) * _WIDTH) * _HEIGHT
    head = struct.pack(">IIBBBBB", _WIDTH, _HEIGHT, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(lines, 9)) + _chunk(b"IEND", b"")
    )


# --- changing ---

FOREIGN = "no message that this adapter has sent"
_FAILED = (TryLater, TelegramError)
_HELD_BY: dict[str, EditMethod] = {
    "text": "editMessageText",
    "rich": "editMessageText",
    "caption": "editMessageCaption",
    "album": "editMessageCaption",
}
_UNSEEN = {"link_preview_options": {"is_disabled": True}}


def shortened(words: EntityText, limit: int) -> EntityText:
    """At most so many units of a text, with an ellipsis where it was longer."""
    if units(words.text) <= limit:
        return words
    kept = words.text.encode("utf-16-le")[: (limit - 1) * 2].decode("utf-16-le", "ignore").rstrip()
    end = units(kept)
    entities = [replace(one, length=min(one.length, end - one.offset)) for one in words.entities if one.offset < end]
    return EntityText(f"{kept}…", tuple(entities))


def done(failed: object) -> bool:
    """Whether an edit was refused because it is so already, or there is nothing to be changed any more."""
    return says(failed, UNCHANGED + VANISHED)


class TelegramChanger:
    """Carries out ``Action.EDIT``, ``COUNT`` and ``DELETE``."""

    def __init__(self, *, bot: Bot, calls: TelegramCalls, manner: TelegramStyling) -> None:
        self._bot, self._calls, self._manner = bot, calls, manner

    async def edit(self, delivery: Delivery, card: Card) -> Outcome:
        """The words as the card says them now. Media stay as they were sent."""
        ours = readable(delivery.messages, TelegramMessage.parse)
        if not ours:
            return Refused(FOREIGN)
        first = ours[0]
        failed = await self._edit(first, _HELD_BY[first.kind], self._body(ours, card))
        if refuses_text(failed, self._manner.say):
            failed = await self._edit(first, _HELD_BY[first.kind], self._body(ours, card, plain=True))
        return self._outcome(delivery, failed, first)

    async def count(self, delivery: Delivery, card: Card) -> Outcome:
        """The buttons alone, or all of a thread that is one message. An album has none: there is nothing to do."""
        ours = readable(delivery.messages, TelegramMessage.parse)
        if not ours:
            return Refused(FOREIGN)
        if ours[0].kind == "rich" and card.posts:
            return await self.edit(delivery, card)
        first, buttons = ours[0], keyboard(card, self._manner.look())
        if first.kind == "album" or not buttons:
            return Sent(delivery.messages)
        edited = await self._edit(first, "editMessageReplyMarkup", {"reply_markup": markup(buttons)})
        return self._outcome(delivery, edited, first)

    async def delete(self, delivery: Delivery) -> Outcome:
        """All messages that the post became; what is too old for that says that it was deleted, instead."""
        ours = readable(delivery.messages, TelegramMessage.parse)
        if not ours:
            return Refused(FOREIGN)
        for chat, some in groupby(ours, key=lambda one: one.chat):
            outcome = self._outcome(delivery, await self._taken_back(chat, list(some)), ours[0])
            if not isinstance(outcome, Sent):
                return outcome
        return Sent(delivery.messages)

    # --- what becomes of it ---

    def _outcome(self, delivery: Delivery, failed: Failed | None, posted: TelegramMessage) -> Outcome:
        """What is so already, or no longer there at all, is done."""
        if failed is None or done(failed):
            return Sent(delivery.messages, wait=self._calls.gap(posted.chat))
        return outcome_of(failed, delivery, self._manner.say)

    async def _edit(self, posted: TelegramMessage, method: EditMethod, body: dict[str, Any]) -> Failed | None:
        result = await self._calls.paced(posted.chat, method, lambda: change(self._bot, method, posted, body))
        return result if isinstance(result, _FAILED) else None

    async def _taken_back(self, chat: int, messages: list[TelegramMessage]) -> Failed | None:
        failed = await self._deleted(chat, [one.message for one in messages])
        if not says(failed, TOO_OLD):
            return failed
        words = self._manner.say("The author deleted this post.")
        for one in messages:
            failed = await self._emptied(one, words if one is messages[0] else "")
            if failed is not None and not done(failed):
                return failed
        return None

    async def _emptied(self, posted: TelegramMessage, words: str) -> Failed | None:
        """What its author took back is not left to be seen: an empty picture takes the place of each medium."""
        if posted.kind in {"text", "rich"}:
            return await self._edit(posted, "editMessageText", {"text": words, **_UNSEEN})
        blank = InputMediaPhoto(picture(), caption=words or None)
        result = await self._calls.paced(
            posted.chat,
            "editMessageMedia",
            lambda: self._bot.edit_message_media(blank, posted.chat, posted.message),
        )
        if isinstance(result, BadRequest) and not says(result, VANISHED):  # no picture fits into an album of sounds
            return await self._edit(posted, "editMessageCaption", {"caption": words})
        return result if isinstance(result, _FAILED) else None

    async def _deleted(self, chat: int, messages: list[int]) -> Failed | None:
        if len(messages) == 1:
            result = await self._calls.plain(lambda: self._bot.delete_message(chat, messages[0]))
        else:
            result = await self._calls.plain(lambda: self._bot.delete_messages(chat, messages))
        return result if isinstance(result, _FAILED) else None

    # --- the words ---

    def _text(self, ours: Sequence[TelegramMessage], card: Card, *, plain: bool) -> dict[str, Any]:
        """What the card says as a text, which tells of media that did not come after it."""
        look = self._manner.look()
        first, *media = message(card, look, count=False, plain=plain)
        if first.method != "sendMessage" or (media and len(ours) == 1):
            (first,) = message(card, look, count=False, media=False, plain=plain)
        return first.edit_parameters()

    def _body(self, ours: Sequence[TelegramMessage], card: Card, *, plain: bool = False) -> dict[str, Any]:
        """What the card says, as the message can hold it: one that was sent as a text stays one.

        ``plain``: with links for buttons, and as text what was more.
        """
        look, posted = self._manner.look(), ours[0]
        if posted.kind == "rich" and not plain and (html := rich(whole(card), look)):
            buttons = keyboard(card, look)
            told: dict[str, Any] = {"rich_message": {"html": html}}
            return told | ({"reply_markup": markup(buttons)} if buttons else {})
        if posted.kind in {"text", "rich"}:
            return self._text(ours, card, plain=plain)
        parts = message(card, look, count=False, plain=plain)
        if sum(len(one.media) for one in parts) > len(ours):
            parts = message(card, look, count=False, media=False, plain=plain)
        part = parts[0]
        words = shortened(part.words, CAPTION)
        body: dict[str, Any] = {"caption": words.text, "caption_entities": words.to_dicts()}
        if posted.kind == "caption" and not plain and (buttons := keyboard(card, look)):
            body["reply_markup"] = markup(buttons)
        return body
