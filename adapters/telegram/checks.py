"""What ``relay check`` asks of Telegram: who the bot is, and whether it could post where it is to post."""

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

from adapters.telegram.address import NO_CHAT, Place
from adapters.telegram.calls import DEAD, Calls, Failed
from adapters.telegram.wire import NoSuchMethod
from relay.model import Destination
from relay.ports import Check, TryLater

_FAILED = (TryLater, TelegramError)
_OUT = frozenset({ChatMember.LEFT, ChatMember.BANNED})


class Checks:
    def __init__(self, bot: Bot, calls: Calls) -> None:
        self._bot, self._calls = bot, calls

    async def all(self, destinations: Collection[Destination]) -> Sequence[Check]:
        me = await self._calls.plain(self._bot.get_me)
        if isinstance(me, _FAILED):
            return (Check(name="telegram", ok=False, note=_refusal(me)),)
        hook = await self._calls.plain(self._bot.get_webhook_info)
        note = f"the bot is @{me.username}; {_manners(me)}; {_hearing(hook)}"
        return (Check(name="telegram", ok=True, note=note), *[await self._one(one, me) for one in destinations])

    async def _one(self, destination: Destination, me: User) -> Check:
        name, place = str(destination), Place.parse(destination.address)
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


def _standing(name: str, place: Place, chat: ChatFullInfo, member: ChatMember) -> Check:
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
        return "" if _may(member, "can_post_messages") else "the bot must be an administrator who may post messages"
    if isinstance(member, ChatMemberAdministrator) or member.status == ChatMember.OWNER:
        return ""
    if isinstance(member, ChatMemberRestricted) and not member.can_send_messages:
        return "the bot is restricted: let it send messages"
    if chat.permissions is not None and not chat.permissions.can_send_messages:
        return "only administrators may write here: make the bot one"
    return ""


def _may(member: ChatMember, right: str) -> bool:
    return member.status == ChatMember.OWNER or bool(getattr(member, right, False))


def _wrong_topic(place: Place, chat: ChatFullInfo) -> str:
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
