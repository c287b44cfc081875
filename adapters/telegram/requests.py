"""What a person asks for on Telegram, read from a message: reads, asks nobody, answers nothing. Pure.

Who asks and where is what Telegram says of the message, never what stands in its text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from telegram import Message, MessageEntity, MessageOriginChannel, User

from adapters.telegram.address import TelegramAddress
from adapters.telegram.entities import JOINER
from adapters.telegram.settings import TelegramOptions
from relay.core.commands import Mistake, Parsed, Spec, parse, spec
from relay.i18n import Words
from relay.kit import options_in, places_in
from relay.options import Kind
from relay.ports import Refused

MOST_LINKS = 4
"""Of one message: as many as are tried."""
START = "start"
"""What Telegram's own button at the beginning of a chat sends."""

_NAME = r"[A-Za-z][A-Za-z0-9_]{3,31}"
_PLACE = re.compile(rf"(?:@{_NAME}|-\d{{5,20}})(?:/\d{{1,18}})?")
_AT_HOME = re.compile(rf"(?:(?:https?://)?(?:t|telegram)\.me/)?({_NAME}(?:/\d{{1,18}})?)", re.IGNORECASE)
_LINKS: list[str | None] = [MessageEntity.URL, MessageEntity.TEXT_LINK]


@dataclass(frozen=True, slots=True, kw_only=True)
class TelegramAsker:
    """Who asks. ``id`` is the person's; None: an administrator who stays anonymous, or a channel that speaks itself."""

    id: int | None
    user: str
    language: str
    anonymous: bool = False
    """An administrator of this very group, Telegram says, but not which one."""


@dataclass(frozen=True, slots=True)
class TelegramLine:
    """A command line. ``ours`` is whether it can only be meant for us, so that a mistake in it is worth an answer."""

    name: str
    rest: str
    ours: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TelegramRequest:
    """Which command, with what; ``about`` is another chat that was named, None: the one in which it is asked."""

    name: str
    arguments: Mapping[str, str]
    about: TelegramAddress | None = None
    options: str = ""
    """Options of Telegram's own, as :attr:`relay.ports.Command.options`."""


def place_of(message: Message) -> TelegramAddress:
    """Where a message stands: its chat, and in a forum the topic, but for the general one."""
    topic = message.message_thread_id if message.is_topic_message else None
    return TelegramAddress(message.chat.id, topic)


def asker_of(message: Message, language: str) -> TelegramAsker | None:
    """Who wrote it; None: nobody whom we serve. ``language`` is for those whose own is not told."""
    itself = message.sender_chat
    if itself is not None:
        mine = itself.id == message.chat.id
        return TelegramAsker(id=None, user=f"telegram:{itself.id}", language=language, anonymous=mine)
    return None if message.from_user is None else person(message.from_user, language)


def person(user: User, language: str) -> TelegramAsker | None:
    """A person as one who asks; None: a bot, which could talk with us for ever."""
    if user.is_bot:
        return None
    return TelegramAsker(id=user.id, user=f"telegram:{user.id}", language=user.language_code or language)


def line_in(message: Message, username: str) -> TelegramLine | None:
    """The command line that a message is, if it may be for us: ``/help`` and ``/help@us``, not ``/help@another``.

    What was forwarded, or written through another bot, nobody here has asked for.
    """
    command = next((one for one in message.entities if one.type == MessageEntity.BOT_COMMAND and not one.offset), None)
    if command is None or message.forward_origin is not None or message.via_bot is not None:
        return None
    text = message.text or ""
    name, _, whom = text[1 : command.length].partition("@")
    if whom and whom.casefold() != username.casefold():
        return None
    ours = bool(whom) or message.chat.type == message.chat.PRIVATE
    return TelegramLine(name.casefold(), text[command.length :].replace(JOINER, "").strip(), ours)


def asked_in(message: Message, line: TelegramLine, say: Words) -> TelegramRequest | Refused | None:
    """What the line asks for; ``Refused`` says what to do instead, None: it was meant for another bot perhaps."""
    found = spec(line.name)
    if found is None and not line.ours:
        return None
    read = options_in(_with_links(message, line, found), line.name, TelegramOptions, say, example="silent=yes")
    if isinstance(read, Refused):
        return read
    rest, options = read
    parsed = parse(f"{line.name} {rest}", prefix="", say=say)
    if isinstance(parsed, Mistake):
        return Refused(parsed.text)
    asked = _placed(parsed, say)
    return replace(asked, options=options) if isinstance(asked, TelegramRequest) else asked


def _with_links(message: Message, line: TelegramLine, found: Spec | None) -> str:
    """Where a link is wanted: those behind the words count, and those of the message that this one answers."""
    if found is None or not any(one.kind is Kind.LINK for one in found.parameters):
        return line.rest
    answered = message.reply_to_message
    if line.rest or answered is None or answered.forum_topic_created is not None:
        return " ".join(links_in(message)) or line.rest
    # Nothing in it: not the usage is to be explained, but that there is no link.
    return " ".join(links_in(answered)) or "-"


# --- which chat ---


def _placed(parsed: Parsed, say: Words) -> TelegramRequest | Refused:
    given, places, named = places_in(parsed, lambda word: _PLACE.fullmatch(word) is not None)
    typed = [*places, *named]
    if not typed:
        return TelegramRequest(name=parsed.name, arguments=given)
    if len(typed) > 1:
        return Refused(say("One channel at a time, please."))
    about = place_named(typed[0])
    if about is None:
        return Refused(
            say("That is not a channel. Write {name} as in its address, or its number, which begins with -100.").format(
                name="@channel"
            )
        )
    return TelegramRequest(name=parsed.name, arguments=given, about=about)


def place_named(typed: str) -> TelegramAddress | None:
    """A channel or group as people write it: ``@channel``, its number, its address; never somebody's private chat."""
    at_home = _AT_HOME.fullmatch(typed)
    address = f"@{at_home[1]}" if at_home else typed
    return TelegramAddress.parse(address) if _PLACE.fullmatch(address) else None


# --- links ---


def links_in(message: Message) -> list[str]:
    """The web addresses in a message in the order in which a reader meets them: text, buttons, preview.

    Of a bot's message the last ones come first: what it tells of stands at its end, as our own “Original” does.
    """
    found = [*_written(message), *_pressable(message)]
    if message.reply_markup or (message.from_user and message.from_user.is_bot):
        found.reverse()
    preview = message.link_preview_options.url if message.link_preview_options else None
    return list(dict.fromkeys([*found, *_web(preview if isinstance(preview, str) else "")]))[:MOST_LINKS]


def _written(message: Message) -> Iterator[str]:
    for entities in (message.parse_entities(_LINKS), message.parse_caption_entities(_LINKS)):
        for entity, written in sorted(entities.items(), key=lambda one: one[0].offset):
            yield from _web(entity.url or written)


def _pressable(message: Message) -> Iterator[str]:
    for row in message.reply_markup.inline_keyboard if message.reply_markup else ():
        for button in row:
            yield from _web(button.url or "")


def _web(address: str) -> Iterator[str]:
    """Telegram marks ``ayllu.example/1`` as an address too."""
    if re.match(r"https?://", address, re.IGNORECASE):
        yield address
    elif address and not re.match(r"[a-z][a-z0-9+.-]*:(?!\d)", address, re.IGNORECASE):
        yield f"https://{address}"


# --- a channel's post in its discussion group ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarded:
    """Telegram has put a channel's message into the group in which it is discussed."""

    channel: int
    channel_message: int
    group: int
    group_message: int


def forwarded_in(message: Message) -> Forwarded | None:
    """What the message says of a channel's own one; None: it is something else."""
    origin = message.forward_origin
    if not message.is_automatic_forward or not isinstance(origin, MessageOriginChannel):
        return None
    return Forwarded(
        channel=origin.chat.id,
        channel_message=origin.message_id,
        group=message.chat.id,
        group_message=message.message_id,
    )
