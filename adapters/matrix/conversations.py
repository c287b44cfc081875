"""Everything that a person asks the relay on Matrix gets an answer, in a thread below the question."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

from adapters.matrix.answers import LANGUAGES, MOST_CARDS, language_line, language_of, shown
from adapters.matrix.api import Failed, MatrixApi
from adapters.matrix.calls import MatrixCalls
from adapters.matrix.card import answer as written
from adapters.matrix.card import message as as_message
from adapters.matrix.content import in_thread, text_content
from adapters.matrix.message_text import MatrixText
from adapters.matrix.outcomes import UNRELATED, says
from adapters.matrix.requests import LANGUAGE, MatrixLine, MatrixRequest, asked_in, line_in, root_of
from adapters.matrix.rights import MatrixRights, MatrixStanding
from adapters.matrix.room_notes import RoomNotes
from adapters.matrix.settings import MatrixSettings
from adapters.matrix.style import MatrixStyle
from adapters.matrix.sync import RoomMessage
from relay.i18n import Words, words
from relay.kit import answered, failed, said
from relay.log import get_logger
from relay.model import Destination
from relay.ports import Answer, Command, Inbox, Refused

LIFE = 120.0
"""Seconds until an answer comes too late."""
_FREE = frozenset({"help"})
"""What anybody may ask in a direct room, whoever the owners are."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class MatrixAsker:
    """Who asks, in which room, and how the room is spoken to."""

    room: str
    asker: str
    say: Words


class MatrixTalk:
    """Answers people, one room at a time as its caller brings them. Raises nothing that the homeserver says."""

    def __init__(
        self,
        *,
        settings: MatrixSettings,
        inbox: Inbox,
        rights: MatrixRights,
        notes: RoomNotes,
        voice: MatrixVoice,
        life: float = LIFE,
    ) -> None:
        self._settings, self._inbox, self._life = settings, inbox, life
        self._rights, self._notes, self._voice = rights, notes, voice
        self._home = settings.user.partition(":")[2]

    async def message(self, said_one: RoomMessage) -> None:
        """What somebody wrote in a room."""
        room, event = said_one.room, said_one.event
        line = line_in(event, us=self._settings.user, prefix=self._settings.prefix)
        if line is None:
            return
        if not await self._is_meant(line, room):
            return
        asking = MatrixAsker(room, event.sender, await self._notes.words(room))
        asked = asked_in(line.text, asking.say, home=self._home)
        answer = await self._answered(asked, asking)
        if isinstance(asked, MatrixRequest) and asked.name == LANGUAGE:
            asking = replace(asking, say=await self._notes.words(room))
        about = asked.about if isinstance(asked, MatrixRequest) else ""
        await self._give(answer, about, asking, f"re-{mark(event.event_id)}", root_of(event))

    async def _is_meant(self, line: MatrixLine, room: str) -> bool:
        """Where nobody else is, the prefix may be left out; of a room that is for more, only with a known word."""
        if line.prefixed:
            return True
        return (line.known or (await self._notes.read(room)).direct) and await self._rights.alone(room) is True

    # --- what is answered ---

    async def _answered(self, asked: MatrixRequest | Refused, asking: MatrixAsker) -> Answer:
        """The answer, whatever happens meanwhile."""
        if isinstance(asked, Refused):
            return failed(asked.reason)
        came = await answered(self._worked_out(asked, asking), asking.say, within=self._life)
        return failed(came.reason) if isinstance(came, Refused) else came

    async def _worked_out(self, asked: MatrixRequest, asking: MatrixAsker) -> Answer:
        say, room = asking.say, asking.room
        if asked.about:
            standing = await self._rights.about(asked.about, room, asking.asker, say)
        else:
            standing = await self._rights.here(room, asking.asker, say)
        if isinstance(standing, Failed):
            log.warning("the homeserver was asked for rights in vain", room=room, reason=standing.reason)
            return failed(say("The homeserver is not answering. Please try again."))
        if isinstance(standing, Refused):
            return failed(standing.reason)
        if standing.direct and not standing.may_manage and asked.name not in _FREE:
            return failed(say("In direct rooms I only work for this relay's operators."))
        if asked.name == LANGUAGE:
            return await self._language(asked, asking, standing)
        answer = await self._inbox.answer(self._command(asked, asking, standing))
        if asked.name != "help" or answer.failed:
            return answer
        return replace(answer, text=(*answer.text, *language_line(say, prefix=self._settings.prefix)))

    def _command(self, asked: MatrixRequest, asking: MatrixAsker, standing: MatrixStanding) -> Command:
        return Command(
            name=asked.name,
            arguments=asked.arguments,
            destination=Destination("matrix", standing.room),
            community=self._home,
            user=asking.asker,
            language=asking.say.tag,
            may_manage=standing.may_manage,
            obstacle=standing.obstacle,
            options=asked.options,
        )

    async def _language(self, asked: MatrixRequest, asking: MatrixAsker, standing: MatrixStanding) -> Answer:
        """Tell the language of a room, or change it."""
        say, typed = asking.say, asked.arguments.get(LANGUAGE, "")
        known = ", ".join(LANGUAGES)
        example = f"{self._settings.prefix} {LANGUAGE} {LANGUAGES[-1]}"
        if not typed:
            text = say("I answer in {language} in this room. I speak {languages}. To change it: {example}")
            return Answer(text=said(text, language=say.tag, languages=known, example=example))
        if not standing.may_manage:
            return failed(say("Only people who can manage the channel may do that. Please ask one of them."))
        chosen = language_of(typed)
        if not chosen:
            return failed(say("I don't speak that language. I speak {languages}."), languages=known)
        if await self._notes.change(asking.room, language=chosen) is not None:
            return failed(say("The homeserver is not answering. Please try again."))
        return Answer(text=said(words(chosen)("From now on I answer in {language} here."), language=chosen))

    # --- to the room ---

    async def _give(self, answer: Answer, about: str, asking: MatrixAsker, transaction: str, root: str) -> None:
        """The text, and below it the posts."""
        look = MatrixStyle(say=asking.say)
        parts = [
            *written(shown(answer, self._settings.prefix, about)),
            *(as_message(card, look) for card in answer.cards[:MOST_CARDS]),
        ]
        await self._voice.say(asking.room, transaction, parts, root=root)


# What the relay says for itself in a room: notices, each with a transaction of its own, so that it is said once.


class MatrixVoice:
    """Speaks for one account, at once: somebody waits for it."""

    def __init__(self, api: MatrixApi, calls: MatrixCalls) -> None:
        self._api, self._calls = api, calls

    async def say(self, room: str, transaction: str, parts: Iterable[MatrixText], *, root: str = "") -> bool:
        """Post the parts one after the other, in the thread below ``root`` if there is one. Whether all were taken."""
        for number, part in enumerate(parts, 1):
            came = await self._put(room, f"{transaction}-{number}", part, root)
            if root and says(came, UNRELATED):
                root = ""  # what it answers was taken back, or is no place for a thread
                came = await self._put(room, f"{transaction}-{number}-alone", part, root)
            if isinstance(came, Failed):
                return False
        return True

    async def _put(self, room: str, transaction: str, part: MatrixText, root: str) -> str | Failed:
        content = text_content(part, notify=False)
        content = in_thread(content, root) if root else content
        return await self._calls.at_once(room, lambda: self._api.send(room, transaction, content))


def mark(name: str) -> str:
    """A name of any length as one that fits into a transaction's."""
    return hashlib.sha256(name.encode()).hexdigest()[:20]
