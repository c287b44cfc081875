"""What Telegram's refusals mean for a delivery and for its chat: a table."""

from __future__ import annotations

from datetime import timedelta

from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    TelegramError,
)

from adapters.telegram.address import TelegramAddress
from adapters.telegram.calls import REFUSED_FOR, Failed
from adapters.telegram.transport import NoSuchMethod, Slower, TelegramNotSent
from relay.i18n import Words, later
from relay.model import Action, Delivery, Destination
from relay.ports import Gone, Moved, Outcome, Refused, TryLater, Unknown

UNCHANGED = ("message is not modified",)
VANISHED = (
    "message to delete not found",
    "message to edit not found",
    "message_id_invalid",
    "message identifier is not specified",
)
TOO_OLD = ("message can't be deleted",)
_MEDIA_RIGHTS = ("not enough rights to send ", "chat_send_")
"""Said to media: what the chat does not let us send is of their kind."""

_TOPIC_GONE = later("The topic was deleted. Choose another one, or use the chat without a topic.")
_TOPIC_CLOSED = later("The topic is closed. Open it or let me manage topics, then use /resume.")
_CHAT_GONE = later("The chat is gone, or I was never in it. Add me, then use /resume.")
_BLOCKED = later("You blocked me, or never started me. Send /start, then /resume.")
_OUT = later("I am no longer in this chat. Add me again, then use /resume.")
_NO_PERSON = later("This account no longer exists.")
_NO_RIGHT = later("I can't post here. In a channel, make me an administrator who can post messages, then use /resume.")

_CLOSED: tuple[tuple[str, str], ...] = (
    ("message thread not found", _TOPIC_GONE),
    ("topic_deleted", _TOPIC_GONE),
    ("topic_id_invalid", _TOPIC_GONE),
    ("topic_closed", _TOPIC_CLOSED),
    ("user is deactivated", _NO_PERSON),
    ("peer_id_invalid", _CHAT_GONE),
    ("chat not found", _CHAT_GONE),
    ("user not found", _CHAT_GONE),
    ("group chat was deactivated", _CHAT_GONE),
    ("group is deactivated", _CHAT_GONE),
    ("blocked by the user", _BLOCKED),
    ("can't initiate conversation", _BLOCKED),
    ("can't send messages to bots", _NO_PERSON),
    ("kicked", _OUT),
    ("not a member", _OUT),
    ("not enough rights", _NO_RIGHT),
    ("need administrator rights", _NO_RIGHT),
    ("have no rights", _NO_RIGHT),
    ("chat_send_", _NO_RIGHT),
    ("chat_write_forbidden", _NO_RIGHT),
    ("chat_admin_required", _NO_RIGHT),
    ("chat_restricted", _NO_RIGHT),
)


def says(failed: object, words: tuple[str, ...]) -> bool:
    """Whether Telegram refused it with one of these words."""
    if not isinstance(failed, BadRequest | Forbidden):
        return False
    told = failed.message.casefold()
    return any(one in told for one in words)


def closed(failed: object, say: Words) -> str:
    """Why the place itself is gone or closed to us, in words for people; empty: it is not."""
    if not isinstance(failed, BadRequest | Forbidden):
        return ""
    told = failed.message.casefold()
    known = next((say(reason) for words, reason in _CLOSED if words in told), "")
    if known or isinstance(failed, BadRequest):
        return known
    return say("I can't post here: {reason}. Give me permission, then use /resume.").format(reason=failed.message)


def refuses_media(failed: object, method: str, say: Words) -> bool:
    """Whether Telegram said no to a call that may have been for its media: the chat itself is open to us.

    Nobody lists the words of such refusals, so whatever is no other reason is one; no answer is none.
    """
    if method == "sendMessage" or not isinstance(failed, BadRequest | Forbidden):
        return False
    return says(failed, _MEDIA_RIGHTS) or not closed(failed, say)


def refuses_text(failed: object, say: Words) -> bool:
    """Whether Telegram said no to a message, or to an edit of one, that without buttons and preview it may take."""
    return isinstance(failed, BadRequest) and not says(failed, UNCHANGED + VANISHED) and not closed(failed, say)


def refused_item(failed: object) -> int:
    """Which item of an album was refused, from 1 on; 0: Telegram does not say."""
    told = failed.message.casefold() if isinstance(failed, BadRequest) else ""
    number = told.partition("failed to send message #")[2].partition(" ")[0]
    return int(number) if number.isdecimal() and len(number) <= 2 else 0


def outcome_of(failed: Failed, delivery: Delivery, say: Words) -> Outcome:
    """The outcome of a failed call."""
    match failed:
        case TryLater():
            return failed
        case ChatMigrated():
            return _moved(delivery, failed.new_chat_id)
        case BadRequest() | Forbidden():
            reason = closed(failed, say)
            return Gone(reason) if reason else Refused(f"Telegram refuses it: {failed.message}")
    return _again(failed) or _in_doubt(failed, delivery)


def _again(failed: TelegramError) -> TryLater | None:
    """Surely not done; None: nobody knows."""
    match failed:
        case TelegramNotSent():
            return TryLater(failed.message)
        case Slower():
            return TryLater(failed.message, timedelta(seconds=failed.seconds))
        case InvalidToken() | NoSuchMethod():
            return TryLater(f"Telegram refuses the bot's token: {failed.message}", REFUSED_FOR)
        case Conflict():
            return TryLater(f"another program uses the bot's token: {failed.message}", REFUSED_FOR)
    return None


def _in_doubt(failed: TelegramError, delivery: Delivery) -> Outcome:
    """A second edit or deletion is the same as one; a second message is not."""
    reason = failed.message if isinstance(failed, NetworkError) else f"Telegram answers: {failed.message}"
    return Unknown(reason) if delivery.action is Action.SEND else TryLater(reason)


def _moved(delivery: Delivery, chat: int) -> Outcome:
    place = TelegramAddress.parse(delivery.destination.address)
    if place is None or place.chat == chat:
        return Refused("Telegram says that the chat has moved to itself")
    return Moved(Destination(delivery.destination.adapter, str(place.moved(chat))))
