"""The adapter: takes deliveries, and lets people's commands in."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from telegram import (
    Bot,
    ChatFullInfo,
    ChatMember,
    ChatMemberAdministrator,
    ChatMemberRestricted,
    User,
    WebhookInfo,
)
from telegram.constants import ChatType
from telegram.error import BadRequest, Forbidden, InvalidToken, TelegramError

from adapters.telegram.address import NO_CHAT, TelegramAddress
from adapters.telegram.calls import DEAD, Failed, TelegramCalls
from adapters.telegram.changing import TelegramChanger
from adapters.telegram.comments import Comments
from adapters.telegram.pace import TelegramPace
from adapters.telegram.sending import TelegramSender
from adapters.telegram.settings import TelegramSettings
from adapters.telegram.style import TelegramStyling
from adapters.telegram.transport import NoSuchMethod, bot_of, wire
from relay.model import Action, Delivery, Destination
from relay.plugins import Host
from relay.ports import Check, Inbox, Limits, Outcome, Refused, TryLater

# --- what ``relay check`` asks of Telegram: who the bot is, and whether it could post where it is to post ---

_FAILED = (TryLater, TelegramError)
_OUT = frozenset({ChatMember.LEFT, ChatMember.BANNED})


class TelegramChecks:
    def __init__(self, bot: Bot, calls: TelegramCalls) -> None:
        self._bot, self._calls = bot, calls

    async def all(self, destinations: Collection[Destination]) -> Sequence[Check]:
        me = await self._calls.plain(self._bot.get_me)
        if isinstance(me, _FAILED):
            return (Check(name="telegram", ok=False, note=_refusal(me)),)
        hook = await self._calls.plain(self._bot.get_webhook_info)
        note = f"the bot is @{me.username}; {_manners(me)}; {_hearing(hook)}"
        return (Check(name="telegram", ok=True, note=note), *[await self._one(one, me) for one in destinations])

    async def _one(self, destination: Destination, me: User) -> Check:
        name, place = str(destination), TelegramAddress.parse(destination.address)
        if place is None:
            return Check(name=name, ok=False, note=NO_CHAT)
        chat = await self._calls.plain(lambda: self._bot.get_chat(place.chat))
        if isinstance(chat, _FAILED):
            return Check(name=name, ok=False, note=_no_chat(chat, me))
        if wrong := _wrong_topic(place, chat):
            return Check(name=name, ok=False, note=wrong)
        shown = chat.title or chat.full_name or name
        if chat.type == ChatType.PRIVATE:
            return Check(name=name, ok=True, note=f"{shown}; as long as they do not block the bot")
        member = await self._calls.plain(lambda: self._bot.get_chat_member(chat.id, me.id))
        if isinstance(member, _FAILED):
            return Check(name=name, ok=False, note=_no_chat(member, me))
        return _standing(name, place, chat, member)


def _standing(name: str, place: TelegramAddress, chat: ChatFullInfo, member: ChatMember) -> Check:
    if reason := _mute(chat, member):
        return Check(name=name, ok=False, note=f"{chat.title}: {reason}")
    notes = [str(chat.title)]
    if place.thread is not None:
        notes.append("whether the topic is there, Telegram tells nobody before something is posted in it")
    if chat.type == ChatType.CHANNEL and not _may(member, "can_delete_messages"):
        notes.append("better with the right to delete messages: posts that are taken back after 48 hours stay else")
    return Check(name=name, ok=True, note="; ".join(notes))


def _mute(chat: ChatFullInfo, member: ChatMember) -> str:
    """Why nothing could be posted there; empty: it could."""
    if member.status in _OUT:
        return "the bot is not in this chat: add it"
    if chat.type == ChatType.CHANNEL:
        return "" if _may(member, "can_post_messages") else "the bot must be an administrator who can post messages"
    if isinstance(member, ChatMemberAdministrator) or member.status == ChatMember.OWNER:
        return ""
    if isinstance(member, ChatMemberRestricted) and not member.can_send_messages:
        return "the bot is restricted: let it send messages"
    if chat.permissions is not None and not chat.permissions.can_send_messages:
        return "only administrators may write here: make the bot one"
    return ""


def _may(member: ChatMember, right: str) -> bool:
    return member.status == ChatMember.OWNER or bool(getattr(member, right, False))


def _wrong_topic(place: TelegramAddress, chat: ChatFullInfo) -> str:
    if place.thread is None or chat.is_forum or chat.type == ChatType.PRIVATE:
        return ""
    return f"{chat.title} has no topics: leave out /{place.topic}"


def _manners(me: User) -> str:
    groups = (
        "it can be added to groups"
        if me.can_join_groups
        else "it cannot be added to groups (@BotFather, /setjoingroups)"
    )
    hears = "it reads all messages there" if me.can_read_all_group_messages else "it hears commands and replies there"
    return f"{groups}; {hears}"


def _hearing(hook: WebhookInfo | Failed) -> str:
    if isinstance(hook, _FAILED):
        return "how it is told of messages is not known"
    if not hook.url:
        return "it asks for updates"
    trouble = f", in vain: {hook.last_error_message}" if hook.last_error_message else ""
    return f"Telegram calls it with updates{trouble}"


def _no_chat(failed: Failed, me: User) -> str:
    if isinstance(failed, BadRequest | Forbidden):
        return f"Telegram shows the bot no such chat ({failed.message}): add @{me.username} to it, or start it there"
    return _refusal(failed)


def _refusal(failed: Failed) -> str:
    if isinstance(failed, InvalidToken | NoSuchMethod):
        return f"Telegram refuses the token: {DEAD}"
    return failed.reason if isinstance(failed, TryLater) else f"Telegram answers: {failed.message}"


# --- adapter ---


class Telegram:
    """One bot. ``pace``: how often it may ask, where that is not Telegram's own (tests are quicker)."""

    name = "telegram"
    remote = True

    def __init__(self, settings: TelegramSettings, host: Host, *, pace: TelegramPace | None = None) -> None:
        self._settings, self._host = settings, host
        self.limits = Limits(text=4096, media=10, threads=True, idempotent=False, on_unknown=settings.on_unknown)
        self._wires = sending, polling = wire(), wire()
        self.bot = bot = bot_of(settings, sending, polling)
        self.calls = calls = TelegramCalls(pace or TelegramPace())
        self.comments = comments = Comments()
        manner = TelegramStyling(host)
        self._sender = TelegramSender(bot=bot, calls=calls, manner=manner, comments=comments)
        self._changer = TelegramChanger(bot=bot, calls=calls, manner=manner)
        self._checks = TelegramChecks(bot, calls)

    async def run(self, inbox: Inbox) -> None:
        """Take commands until cancelled. A token that Telegram refuses ends it with one loud line: others go on."""
        from adapters.telegram.updates import Updates

        await Updates(self._settings, self._host, self.bot, self.calls, self.comments).run(inbox)

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Carry out one delivery, once."""
        place = TelegramAddress.parse(delivery.destination.address)
        if place is None:
            return Refused(f"{delivery.destination} is no chat of Telegram's: {NO_CHAT}")
        if delivery.action is Action.DELETE:
            return await self._changer.delete(delivery)
        if delivery.card is None:
            return Refused("there is nothing to show")
        if delivery.action is Action.SEND:
            return await self._sender.send(delivery, delivery.card, place)
        if delivery.action is Action.COUNT:
            return await self._changer.count(delivery, delivery.card)
        return await self._changer.edit(delivery, delivery.card)

    async def check(self, destinations: Collection[Destination] = ()) -> Sequence[Check]:
        """Who the bot is, how it hears people, and of each chat whether it could post there."""
        return await self._checks.all(destinations)

    async def close(self) -> None:
        """Let go of the connections. A second call does nothing."""
        for one in self._wires:
            await one.shutdown()


def build(settings: TelegramSettings, host: Host) -> Telegram:
    return Telegram(settings, host)
