"""A post becomes a message, or several: where it belongs, at the chat's pace, and in words where media fail.

Telegram knows no key that would make a second try the same message. A part that was taken is remembered under the
delivery's id, so that a try that failed at a later part goes on with that one. This is in memory: after a crash between
two parts all of them are sent again, or none, as the policy for what is unknown says.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import Any

from telegram import Bot
from telegram.error import BadRequest, TelegramError

from adapters.telegram.address import TelegramAddress, is_private
from adapters.telegram.calls import Failed, TelegramCalls
from adapters.telegram.card import CardMessage, keyboard, markup, message
from adapters.telegram.comments import Comments
from adapters.telegram.message_ids import TelegramMessage
from adapters.telegram.outcomes import closed, outcome_of, refused_item, refuses_media, refuses_text
from adapters.telegram.rich import rich, whole
from adapters.telegram.settings import TelegramOptions
from adapters.telegram.style import TelegramStyle, TelegramStyling
from adapters.telegram.writing import change, put, put_rich
from relay.kit import readable
from relay.log import get_logger
from relay.model import Card, Delivery
from relay.ports import Outcome, Sent, TryLater

log = get_logger(__name__)

MANY = 1_000
REFUSALS = 3
"""So many media may be refused one by one; then all of them become links."""
_FAILED = (TryLater, TelegramError)


@dataclass(slots=True)
class Progress:
    """What became of a delivery so far."""

    parts: int = 0
    posted: tuple[TelegramMessage, ...] = ()
    in_words: bool = False
    """Its media are links: Telegram does not take them."""
    untold: bool = False
    """Its text was there before that, and has no links to them yet."""
    without: set[str] = field(default_factory=set)
    """The addresses of those that alone were refused."""
    plain: bool = False
    """Its buttons are links: Telegram does not take them."""
    poor: bool = False
    """Telegram did not take it as a rich message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TelegramOrder:
    """One post on its way into ``chat``, where it answers the message ``under`` (0: none)."""

    name: str
    """The delivery's id."""
    card: Card
    options: TelegramOptions
    chat: int | str
    thread: int | None = None
    under: int = 0
    look: TelegramStyle
    root: TelegramMessage | None = None
    """The channel's message to which it is a comment in the discussion group."""
    progress: Progress = field(default_factory=Progress)

    def around(self) -> dict[str, Any]:
        """The parameters of its calls beside the words."""
        body: dict[str, Any] = {}
        if self.thread is not None:
            body["message_thread_id"] = self.thread
        if self.options.silent:
            body["disable_notification"] = True
        under = self.progress.posted[0].message if self.progress.posted else self.under
        if under:
            body["reply_parameters"] = {"message_id": under, "allow_sending_without_reply": True}
        return body


class TelegramSender:
    """Carries out ``Action.SEND``."""

    def __init__(self, *, bot: Bot, calls: TelegramCalls, manner: TelegramStyling, comments: Comments) -> None:
        self._bot, self._calls, self._manner, self._comments = bot, calls, manner, comments
        self._progress: OrderedDict[str, Progress] = OrderedDict()
        self._rich = True

    async def send(self, delivery: Delivery, card: Card, place: TelegramAddress) -> Outcome:
        order = await self._order(delivery, card, place)
        failed = await self._all(order)
        if order.root is not None and closed(failed, self._manner.say):
            order = self._beside(order, place, order.root)
            failed = await self._all(order)
        if failed is not None:
            self._keep(order)
            return outcome_of(failed, delivery, self._manner.say)
        self._progress.pop(delivery.id, None)
        return Sent(tuple(one.id for one in order.progress.posted), wait=self._calls.gap(order.chat))

    # --- where to ---

    async def _order(self, delivery: Delivery, card: Card, place: TelegramAddress) -> TelegramOrder:
        """As a comment below the thread's first post, or as a reply to it, or by itself."""
        options = TelegramOptions.read(delivery.options)
        known = self._progress.get(delivery.id)
        order = TelegramOrder(
            name=delivery.id,
            card=card,
            options=options,
            chat=place.chat,
            thread=place.thread,
            look=self._manner.look(),
            progress=known or Progress(),
        )
        first = next(iter(readable(delivery.under, TelegramMessage.parse)), None)
        if first is None or (isinstance(place.chat, int) and place.chat != first.chat):
            return order  # a group that has moved has other numbers for its messages
        if options.comments and place.thread is None and not is_private(first.chat):
            comment = await self._comments.below(first.chat, first.message)
            if comment is not None:
                return replace(order, chat=comment.chat, under=comment.message, root=first)
        return replace(order, under=first.message)

    def _beside(self, order: TelegramOrder, place: TelegramAddress, root: TelegramMessage) -> TelegramOrder:
        """The same as a reply in the channel, where we may not comment."""
        log.info("a thread goes on in the channel: the relay may not comment there", chat=root.chat)
        self._comments.closed(root.chat, root.message)
        return replace(order, chat=place.chat, under=root.message, root=None)

    # --- the calls ---

    async def _all(self, order: TelegramOrder) -> Failed | None:
        """Send what is not there yet; what stopped it, or None."""
        progress = order.progress
        if order.options.rich and self._rich and not progress.poor and not progress.parts:
            failed = await self._as_rich(order)
            if not progress.poor:
                return failed
        while (part := self._next(order)) is not None:
            posted = await self._part(order, part)
            if refuses_media(posted, part.method, self._manner.say):
                self._leave_out(order, part, posted)
            elif refuses_text(posted, self._manner.say) and not progress.plain:
                progress.plain = True
            elif isinstance(posted, _FAILED):
                return posted
            else:
                progress.parts += 1
                progress.posted += posted
                if isinstance(order.chat, str):
                    self._calls.pace.named(order.chat, posted[0].chat)
        return await self._reworded(order) if progress.untold else None

    def _next(self, order: TelegramOrder) -> CardMessage | None:
        progress = order.progress
        if progress.untold:
            return None
        parts = message(
            order.card,
            order.look,
            count=False,
            media=not progress.in_words,
            without=progress.without,
            plain=progress.plain,
        )
        return next(iter(parts[progress.parts :]), None)

    def _leave_out(self, order: TelegramOrder, part: CardMessage, failed: object) -> None:
        """Links take the place of what was refused: of the one that Telegram names, else of all of it."""
        progress, number = order.progress, refused_item(failed)
        log.info("media were refused: links take their place", chat=order.chat, reason=str(failed))
        if progress.posted or not 1 <= number <= len(part.media) or len(progress.without) >= REFUSALS:
            progress.in_words, progress.untold = True, bool(progress.posted)
        else:
            progress.without.add(part.media[number - 1].url)

    async def _reworded(self, order: TelegramOrder) -> Failed | None:
        """The text went out before its media were refused: it tells of them now, if Telegram lets it."""
        first = order.progress.posted[0]
        (words,) = message(order.card, order.look, count=False, media=False, plain=order.progress.plain)
        body = words.edit_parameters()
        edited = await self._calls.paced(
            first.chat, "editMessageText", lambda: change(self._bot, "editMessageText", first, body)
        )
        return edited if isinstance(edited, _FAILED) and not isinstance(edited, BadRequest) else None

    async def _part(self, order: TelegramOrder, part: CardMessage) -> tuple[TelegramMessage, ...] | Failed:
        body = part.parameters() | order.around()
        return await self._calls.paced(
            order.chat,
            part.method,
            lambda: put(self._bot, part.method, order.chat, body),
            items=max(1, len(part.media)),
        )

    async def _as_rich(self, order: TelegramOrder) -> Failed | None:
        """``progress.poor`` says that it is to be sent as others are."""
        html, progress = rich(whole(order.card), order.look), order.progress
        if html is None:
            progress.poor = True
            return None
        buttons = keyboard(order.card, order.look)
        body = {"rich_message": {"html": html}, **order.around()}
        if buttons:
            body["reply_markup"] = markup(buttons)
        posted = await self._calls.paced(order.chat, "sendRichMessage", lambda: put_rich(self._bot, order.chat, body))
        if posted is None:
            log.info("this Bot API has no rich messages: posts are sent as others are")
            self._rich = False
        if posted is None or (isinstance(posted, BadRequest) and not closed(posted, self._manner.say)):
            progress.poor = True
            return None
        if isinstance(posted, _FAILED):
            return posted
        progress.parts, progress.posted = 1, posted
        return None

    # --- what is remembered ---

    def _keep(self, order: TelegramOrder) -> None:
        """For the next try of the same delivery."""
        progress = order.progress
        if progress != Progress():
            self._progress[order.name] = progress
            while len(self._progress) > MANY:
                self._progress.popitem(last=False)
