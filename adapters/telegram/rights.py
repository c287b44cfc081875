"""Who may do what in a chat: Telegram is asked, for each command anew, and nothing is remembered."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from telegram import (
    Bot,
    Chat,
    ChatFullInfo,
    ChatMember,
    ChatMemberAdministrator,
    ChatMemberRestricted,
)
from telegram.error import BadRequest, Forbidden

from adapters.telegram.address import TelegramAddress
from adapters.telegram.requests import TelegramAsker
from relay.i18n import Words
from relay.ports import Refused

_ADMINISTRATORS = frozenset({ChatMember.OWNER, ChatMember.ADMINISTRATOR})
_AWAY = frozenset({ChatMember.LEFT, ChatMember.BANNED})
_CLOSED = (BadRequest, Forbidden)
"""Telegram has answered: not to us. Another error is trouble on the way, and the caller's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TelegramStanding:
    """Which chat is meant, whether the asker may manage it, and why the relay could not post there; empty: it could."""

    place: TelegramAddress
    community: str
    may_manage: bool
    obstacle: str = ""


class TelegramRights:
    """Asks for one bot. ``owners``: the only people who may manage in their private chats; empty: everybody."""

    def __init__(self, bot: Bot, owners: Collection[int]) -> None:
        self._bot = bot
        self._owners = frozenset(owners)

    async def here(self, chat: Chat, place: TelegramAddress, asker: TelegramAsker, say: Words) -> TelegramStanding:
        """In the chat in which it is asked."""
        if chat.type == Chat.PRIVATE:
            may, obstacle = not self._owners or asker.id in self._owners, ""
        else:
            may, obstacle = await self._leads(chat.id, asker), await self._muted(chat.id, say)
        return TelegramStanding(place=place, community=str(chat.id), may_manage=may, obstacle=obstacle)

    async def there(self, named: TelegramAddress, asker: TelegramAsker, say: Words) -> TelegramStanding | Refused:
        """In another chat, which was named. ``Refused`` says what is in the way: strangers are told nothing of it."""
        if asker.id is None:
            return Refused(say("I can't see who you are here. Ask me in our private chat."))
        shown = {"chat": str(named.chat)}
        try:
            chat = await self._bot.get_chat(named.chat)
        except _CLOSED:
            reason = say("I can't see {chat}. Add me there as an administrator, then ask again.")
            return Refused(reason.format(**shown))
        if chat.type not in {Chat.CHANNEL, Chat.SUPERGROUP, Chat.GROUP}:
            return Refused(say("{chat} is neither a channel nor a group.").format(**shown))
        may, obstacle = await self._may(chat, asker.id), await self._barred(chat, say)
        if may is None:
            return Refused(obstacle or say("Telegram won't tell me who manages {chat}.").format(**shown))
        if not may:
            return Refused(say("Only an administrator of {chat} can ask me that.").format(**shown))
        place = TelegramAddress(address_of(chat), named.topic)
        return TelegramStanding(place=place, community=str(chat.id), may_manage=True, obstacle=obstacle)

    async def leads(self, chat: Chat, asker: TelegramAsker) -> bool:
        """Whether the asker is an administrator of this group, or it is their own private chat."""
        return chat.type == Chat.PRIVATE or await self._leads(chat.id, asker)

    async def _leads(self, chat_id: int, asker: TelegramAsker) -> bool:
        if asker.id is None:
            return asker.anonymous
        try:
            return (await self._bot.get_chat_member(chat_id, asker.id)).status in _ADMINISTRATORS
        except _CLOSED:
            return False

    async def _may(self, chat: ChatFullInfo, user_id: int) -> bool | None:
        """None: Telegram tells only administrators who is in a channel."""
        try:
            member = await self._bot.get_chat_member(chat.id, user_id)
        except BadRequest as error:
            return False if "user not found" in error.message.casefold() else None
        except Forbidden:
            return None
        return may_post(member) if chat.type == Chat.CHANNEL else member.status in _ADMINISTRATORS

    async def _barred(self, chat: ChatFullInfo, say: Words) -> str:
        try:
            me = await self._bot.get_chat_member(chat.id, self._bot.id)
        except _CLOSED:
            return say("I am not a member of {chat}. Add me there as an administrator.").format(chat=shown(chat))
        return barred(chat, me, say) or _silenced(chat, me, say)

    async def _muted(self, chat_id: int, say: Words) -> str:
        """In a group in which we were asked: where nobody may write, the answer shows that by itself."""
        try:
            me = await self._bot.get_chat_member(chat_id, self._bot.id)
        except _CLOSED:
            return ""
        return say("I can't write here. An administrator has to allow it.") if is_silenced(me) else ""


def barred(chat: Chat | ChatFullInfo, me: ChatMember, say: Words) -> str:
    """Why the relay cannot post there, by what it is there; empty: it can. Pure."""
    if is_away(me):
        return say("I am not a member of {chat}. Add me there as an administrator.").format(chat=shown(chat))
    if chat.type == Chat.CHANNEL and not may_post(me):
        return say("I can't post in {chat}. Make me an administrator there who can post messages.").format(
            chat=shown(chat)
        )
    if is_silenced(me):
        return say("I can't write in {chat}. An administrator has to allow it.").format(chat=shown(chat))
    return ""


def _silenced(chat: ChatFullInfo, me: ChatMember, say: Words) -> str:
    """Where only administrators write, and we are none."""
    closed = chat.permissions is not None and chat.permissions.can_send_messages is False
    if not closed or me.status in _ADMINISTRATORS:
        return ""
    return say("I can't write in {chat}. An administrator has to allow it.").format(chat=shown(chat))


def is_away(member: ChatMember) -> bool:
    return member.status in _AWAY or (isinstance(member, ChatMemberRestricted) and not member.is_member)


def is_silenced(member: ChatMember) -> bool:
    return isinstance(member, ChatMemberRestricted) and not member.can_send_messages


def may_post(member: ChatMember) -> bool:
    """In a channel, where only administrators post, and not all of them."""
    owns = member.status == ChatMember.OWNER
    return owns or (isinstance(member, ChatMemberAdministrator) and bool(member.can_post_messages))


def address_of(chat: Chat | ChatFullInfo) -> int | str:
    """How a chat is written in a destination, whichever way it was named: a channel by its name where it has one."""
    named = TelegramAddress.parse(f"@{chat.username}") if chat.type == Chat.CHANNEL else None
    return named.chat if named else chat.id


def shown(chat: Chat | ChatFullInfo) -> str:
    return f"@{chat.username}" if chat.username else chat.title or str(chat.id)
