"""Everything that a person asks the relay on Telegram gets an answer, where it was asked."""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from telegram import Bot, CallbackQuery, Chat, Message
from telegram.error import TelegramError

from adapters.telegram.address import TelegramAddress
from adapters.telegram.calls import Failed, TelegramCalls
from adapters.telegram.card import CardMessage
from adapters.telegram.card import answer as in_pages
from adapters.telegram.card import message as as_messages
from adapters.telegram.entities import EntityText as Written
from adapters.telegram.message_ids import TelegramMessage
from adapters.telegram.outcomes import refuses_media
from adapters.telegram.requests import (
    START,
    TelegramAsker,
    TelegramRequest,
    asked_in,
    asker_of,
    line_in,
    person,
    place_of,
)
from adapters.telegram.rights import TelegramRights, TelegramStanding
from adapters.telegram.style import TelegramStyle
from adapters.telegram.transport import Slower
from adapters.telegram.writing import change, put
from relay.core.commands import Mistake, command_of, spec
from relay.i18n import Words, words
from relay.kit import answered, failed, said, shortened
from relay.log import get_logger
from relay.model import Card, Destination
from relay.plugins import Host
from relay.ports import Answer, Choice, Command, Inbox, Refused, TryLater
from relay.rich import Text
from relay.text import cut, text_content, units

# --- what the relay answers, as Telegram's messages: text, buttons, and what a button carries ---

# Asks nobody.

MOST_PAGES = 5
MOST_CARDS = 5
MOST_CHOICES = 24
IN_A_ROW = 2
LABEL = 60
DATA = 64
"""Bytes that a button may carry."""
TOAST = 200
MOST_KEPT = 1000
_KEPT = "~"


@dataclass(frozen=True, slots=True)
class CommandButton:
    label: str
    data: str


@dataclass(frozen=True, slots=True)
class AnswerMessage:
    """One message of an answer."""

    words: Written
    rows: tuple[tuple[CommandButton, ...], ...] = ()

    def body(self) -> dict[str, Any]:
        """As the Bot API takes it, without the chat."""
        body: dict[str, Any] = {"text": self.words.text, "entities": self.words.to_dicts()}
        if self.rows:
            drawn = [[{"text": one.label, "callback_data": one.data} for one in row] for row in self.rows]
            body["reply_markup"] = {"inline_keyboard": drawn}
        return body


def pages(answer: Answer, carried: Callable[[str], str]) -> tuple[AnswerMessage, ...]:
    """The text of an answer, with the buttons under the last of it; ``carried`` is what a button takes of its line."""
    *before, last = in_pages(answer.text)[:MOST_PAGES]
    return (
        *(AnswerMessage(one) for one in before),
        AnswerMessage(last, tuple(_rows(answer.choices[:MOST_CHOICES], carried))),
    )


def toast(answer: Answer) -> str:
    """The answer in as many letters as fit over a chat for a moment."""
    return text_content(cut(answer.text, TOAST, measure=units))


def greeting(say: Words) -> Text:
    """For a person who begins to talk with the relay."""
    return (
        *_first(say),
        *said(say("For a channel, make me an administrator there who can post messages, then send me {command}."),
              command="/subscribe #Qeswachaka @channel"),
        *said(say("/help lists everything I can do.")),
    )  # fmt: skip


def hello(say: Words) -> Text:
    """For a group that has just let the relay in."""
    return (
        *_first(say),
        *said(say("An administrator can start with: {command}"), command="/subscribe #Qeswachaka"),
        *said(say("/help lists everything I can do.")),
    )


def _first(say: Words) -> Text:
    return said(say("I post hashtags, accounts and feeds from the open social web in this chat."))


def _rows(choices: tuple[Choice, ...], carried: Callable[[str], str]) -> Iterator[tuple[CommandButton, ...]]:
    buttons = [CommandButton(shortened(one.label, LABEL), carried(one.line)) for one in choices]
    for start in range(0, len(buttons), IN_A_ROW):
        yield tuple(buttons[start : start + IN_A_ROW])


# --- what a button carries ---


@dataclass(slots=True)
class Carried:
    """Puts a command line and the chat that it is about into a button, and reads it again.

    A chat in which the button itself stands is not written; what does not fit is remembered, until the relay stops.
    """

    _kept: OrderedDict[str, str] = field(default_factory=OrderedDict)

    def write(self, line: str, about: TelegramAddress, here: TelegramAddress) -> str:
        whole = line if about == here else f"{about} {line}"
        return whole if len(whole.encode()) <= DATA else self._keep(whole)

    def read(self, data: str, here: TelegramAddress) -> tuple[TelegramAddress, str] | None:
        """None: an older relay remembered it."""
        whole = self._kept.get(data, "") if data.startswith(_KEPT) else data
        if not whole:
            return None
        first, _, rest = whole.partition(" ")
        if not first.startswith(("@", "-")) and not first[:1].isdigit():
            return here, whole
        about = TelegramAddress.parse(first)
        return None if about is None else (about, rest)

    def _keep(self, whole: str) -> str:
        key = _KEPT + secrets.token_urlsafe(9)  # never that of an older button, which would mean something else
        self._kept[key] = whole
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return key


# --- talking ---

T = TypeVar("T")
_FAILED = (TryLater, TelegramError)

_NO_PREVIEW = {"link_preview_options": {"is_disabled": True}}
_FREE = frozenset({"help"})
"""What anybody may ask in a private chat, whoever the owners are."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkTimeouts:
    """In seconds."""

    life: float = 120.0
    """Until an answer comes too late."""
    press: float = 3.0
    """Until a pressed button is told that it was heard: Telegram forgets the press soon."""
    flood: float = 30.0
    """What Telegram may ask for before an answer; a longer pause is for nobody who waits."""


@dataclass(frozen=True, slots=True)
class Where:
    """Where an answer goes: a place, and maybe below the message that asks."""

    place: TelegramAddress
    below: int | None = None

    def around(self) -> dict[str, Any]:
        """The parameters of a call beside the words."""
        body: dict[str, Any] = {}
        if self.place.thread is not None:
            body["message_thread_id"] = self.place.thread
        if self.below is not None:
            body["reply_parameters"] = {"message_id": self.below, "allow_sending_without_reply": True}
        return body


class TelegramTalk:
    """Answers people, one chat at a time as its caller brings them. Raises nothing that Telegram says."""

    def __init__(
        self,
        *,
        bot: Bot,
        calls: TelegramCalls,
        host: Host,
        inbox: Inbox,
        rights: TelegramRights,
        patience: TalkTimeouts,
    ) -> None:
        self._bot = bot
        self._calls = calls
        self._host = host
        self._inbox = inbox
        self._rights = rights
        self._patience = patience
        self._carried = Carried()

    async def message(self, message: Message) -> None:
        """What somebody wrote in a group, or to us alone."""
        asker = asker_of(message, self._host.language)
        line = line_in(message, self._bot.username)
        if asker is None or line is None:
            return
        say = words(asker.language)
        where = Where(place_of(message), None if message.chat.type == Chat.PRIVATE else message.message_id)
        if line.name == START:
            await self._say(greeting(say) if where.below is None else hello(say), where)
            return
        asked = asked_in(message, line, say)
        if asked is not None:
            answer, about = await self._answered(asked, message.chat, where.place, asker)
            await self._give(answer, about, where, say)

    async def post(self, message: Message) -> None:
        """What stands in a channel has no author who could be asked for their rights."""
        line = line_in(message, self._bot.username)
        if line is None or not (line.ours or spec(line.name)):
            return
        say = words(self._host.language)
        name = f"@{message.chat.username}" if message.chat.username else str(message.chat.id)
        text = say("I can't see who writes in a channel. Send me this in private: {command}")
        await self._say(said(text, command=f"/{line.name} {line.rest}".strip() + f" {name}"), Where(place_of(message)))

    async def welcome(self, chat: Chat, language: str) -> None:
        """In a group that has let us in."""
        await self._say(hello(words(language)), Where(TelegramAddress(chat.id)))

    # --- buttons ---

    async def press(self, query: CallbackQuery, *, late: bool = False) -> None:
        """A button of ours. ``late``: pressed while nobody listened; who knows whether it is still meant."""
        asker = person(query.from_user, self._host.language)
        if asker is None:
            return
        say = words(asker.language)
        working = asyncio.ensure_future(self._pressed(query, asker, say, late=late))
        try:
            await asyncio.wait({working}, timeout=self._patience.press)
            heard = not working.done() and await self._toast(query, "")
            answer = await working
        finally:
            working.cancel()
        if not heard:
            await self._toast(query, toast(answer), alert=answer.failed)

    async def _pressed(self, query: CallbackQuery, asker: TelegramAsker, say: Words, *, late: bool) -> Answer:
        """Carry it out, and show what came of it; what failed is for the one who pressed."""
        found = query.message
        if found is None or late:
            return failed(say("I was away. Please press it again."))
        message = found if isinstance(found, Message) else None
        here = place_of(message) if message else TelegramAddress(found.chat.id)
        read = self._carried.read(query.data or "", here)
        if read is None:
            return failed(say("This button is too old. Please ask again."))
        parsed = command_of(read[1], say=say)
        if isinstance(parsed, Mistake):
            return failed(parsed.text)
        if not await self._may_press(found.chat, message, asker):
            return failed(say("Only the person who asked or an administrator can press this."))
        asked = TelegramRequest(
            name=parsed.name, arguments=parsed.arguments, about=None if read[0] == here else read[0]
        )
        answer, about = await self._answered(asked, found.chat, here, asker)
        if not answer.failed:
            await self._replace(message, answer, about, here, say)
        return answer

    async def _may_press(self, chat: Chat, message: Message | None, asker: TelegramAsker) -> bool:
        """The message that a button answers says who asked."""
        asked = message.reply_to_message if message else None
        if asked and asked.from_user and asked.from_user.id == asker.id and not asked.sender_chat:
            return True
        try:
            return await self._rights.leads(chat, asker)
        except TelegramError:
            return False

    async def _replace(
        self, message: Message | None, answer: Answer, about: TelegramAddress, here: TelegramAddress, say: Words
    ) -> None:
        """In the place of what was asked, where it is one message; posts come below it."""
        shown = self._pages(answer, about, here)
        if message is None or answer.cards or len(shown) > 1:
            below = message.message_id if message and message.chat.type != Chat.PRIVATE else None
            await self._give(answer, about, Where(here, below), say)
            return
        posted = TelegramMessage("text", message.chat.id, message.message_id)
        body = shown[0].body() | _NO_PREVIEW
        await self._made(posted.chat, "editMessageText", lambda: change(self._bot, "editMessageText", posted, body))

    async def _toast(self, query: CallbackQuery, text: str, *, alert: bool = False) -> bool:
        try:
            await self._bot.answer_callback_query(query.id, text=text or None, show_alert=alert)
        except TelegramError as error:
            log.warning("a press was not answered", reason=error.message)
        return True

    # --- what the relay says ---

    async def _answered(
        self, asked: TelegramRequest | Refused, chat: Chat, here: TelegramAddress, asker: TelegramAsker
    ) -> tuple[Answer, TelegramAddress]:
        """The answer, whatever happens meanwhile, and the place that it is about."""
        if isinstance(asked, Refused):
            return failed(asked.reason), here
        work = self._worked_out(asked, chat, here, asker)
        came = await answered(work, words(asker.language), within=self._patience.life)
        return (failed(came.reason), here) if isinstance(came, Refused) else came

    async def _worked_out(
        self, asked: TelegramRequest, chat: Chat, here: TelegramAddress, asker: TelegramAsker
    ) -> tuple[Answer, TelegramAddress]:
        say = words(asker.language)
        try:
            standing = await self._standing(asked.about, chat, here, asker)
        except TelegramError as error:
            log.warning("telegram was asked for rights in vain", chat=chat.id, reason=error.message)
            return failed(say("Telegram is not answering. Please try again.")), here
        if isinstance(standing, Refused):
            return failed(standing.reason), here
        if chat.type == Chat.PRIVATE and not standing.may_manage and asked.name not in _FREE:
            return failed(say("In private chats I only work for this relay's operators.")), here
        command = Command(
            name=asked.name,
            arguments=asked.arguments,
            destination=Destination("telegram", str(standing.place)),
            community=standing.community,
            user=asker.user,
            language=asker.language,
            may_manage=standing.may_manage,
            obstacle=standing.obstacle,
            options=asked.options,
        )
        return await self._inbox.answer(command), standing.place

    async def _standing(
        self, about: TelegramAddress | None, chat: Chat, here: TelegramAddress, asker: TelegramAsker
    ) -> TelegramStanding | Refused:
        say = words(asker.language)
        if about is None or str(about.chat).casefold() in {str(chat.id), f"@{chat.username}".casefold()}:
            return await self._rights.here(chat, TelegramAddress(chat.id, about.topic) if about else here, asker, say)
        return await self._rights.there(about, asker, say)

    # --- to Telegram ---

    def _pages(self, answer: Answer, about: TelegramAddress, here: TelegramAddress) -> tuple[AnswerMessage, ...]:
        return pages(answer, lambda line: self._carried.write(line, about, here))

    async def _say(self, text: Text, where: Where) -> None:
        await self._give(Answer(text=text), where.place, where, words(self._host.language))

    async def _give(self, answer: Answer, about: TelegramAddress, where: Where, say: Words) -> None:
        """The text, and below it the posts."""
        for page in self._pages(answer, about, where.place):
            if not await self._send(page, where):
                return
        for card in answer.cards[:MOST_CARDS]:
            await self._show(card, where, say)

    async def _show(self, card: Card, where: Where, say: Words) -> None:
        """As it would be sent; in words alone where Telegram does not take its media."""
        look = TelegramStyle(say=say, relay=self._host.name)
        for part in as_messages(card, look):
            if refuses_media(await self._put(part, where), part.method, say):
                (words_alone,) = as_messages(card, look, media=False)
                await self._put(words_alone, where)

    async def _put(self, part: CardMessage, where: Where) -> object:
        body, items = part.parameters() | where.around(), max(1, len(part.media))
        chat = where.place.chat
        return await self._made(chat, part.method, lambda: put(self._bot, part.method, chat, body), items=items)

    async def _send(self, page: AnswerMessage, where: Where) -> bool:
        body, chat = page.body() | _NO_PREVIEW | where.around(), where.place.chat
        came = await self._made(chat, "sendMessage", lambda: put(self._bot, "sendMessage", chat, body))
        return not isinstance(came, _FAILED)

    async def _made(
        self, chat: int | str, method: str, act: Callable[[], Awaitable[T]], *, items: int = 1
    ) -> T | Failed:
        """A short pause that Telegram asks for is waited for, once."""
        came = await self._calls.at_once(chat, method, act, items=items)
        if isinstance(came, Slower) and came.seconds <= self._patience.flood:
            await asyncio.sleep(came.seconds)
            came = await self._calls.at_once(chat, method, act, items=items)
        if isinstance(came, _FAILED):
            log.warning("an answer was not taken", chat=chat, reason=getattr(came, "message", str(came)))
        return came
