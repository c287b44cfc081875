"""What becomes of the relay itself in a chat: let in, shown out, silenced."""

from __future__ import annotations

from telegram import Chat, ChatMember, ChatMemberUpdated

from adapters.telegram.rights import is_away, is_silenced, may_post
from relay.i18n import Words
from relay.model import Destination
from relay.ports import Inbox

_GROUPS = frozenset({Chat.GROUP, Chat.SUPERGROUP})


async def tell_loss(update: ChatMemberUpdated, inbox: Inbox, say: Words) -> None:
    """Tell the inbox when nothing can be posted in a chat any more; its topics show it at the next post."""
    reason = closed(update.chat, update.new_chat_member, say)
    if reason:
        await inbox.lost(destinations(update.chat), reason)


def closed(chat: Chat, me: ChatMember, say: Words) -> str:
    """Why nothing can be posted in a chat, by what the relay is there; empty: something can. Pure."""
    if chat.type == Chat.PRIVATE:
        blocked = say("You have blocked me, or never started me. Unblock me with /start, then /resume.")
        return blocked if is_away(me) else ""
    if is_away(me):
        return say("I am no longer in this chat. Add me again, then /resume.")
    if chat.type == Chat.CHANNEL and not may_post(me):
        return say("I may not post here. In a channel make me an administrator who may post messages; then /resume.")
    if is_silenced(me):
        return say("I may not write here: an administrator has to allow it.")
    return ""


def let_in(update: ChatMemberUpdated) -> bool:
    """Whether a group has just let the relay in, so that it may say hello."""
    before, now = update.old_chat_member, update.new_chat_member
    new = is_away(before) and now.status in {ChatMember.MEMBER, ChatMember.ADMINISTRATOR}
    return new and update.chat.type in _GROUPS


def destinations(chat: Chat) -> list[Destination]:
    """All that a chat is called as a destination."""
    public = chat.username if chat.type != Chat.PRIVATE else None
    names = [str(chat.id), *([f"@{public}", f"@{public.lower()}"] if public else [])]
    return [Destination("telegram", name) for name in dict.fromkeys(names)]
