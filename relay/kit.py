"""What every adapter needs to talk with people, whichever platform it is for; for adapters of your own as well.

It stands here and not in ``relay.chat``, which works with the store: adapters know nothing of that.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError

from relay.core.commands import Parsed, spec
from relay.i18n import Words
from relay.log import get_logger
from relay.model import MessageId
from relay.options import Kind
from relay.phrases import code, line
from relay.ports import Answer, Refused
from relay.rich import Block, Span, Text

MOST_WAITING = 30
"""What waits in one room; more than that is no conversation."""
CLOSING = 1.5
"""Seconds for what is still being answered to end."""
CHOOSING = frozenset({"subscribe", "settings"})
"""The commands that take options of a platform's own."""

T = TypeVar("T")

log = get_logger(__name__)


# --- one thing after the other in each room ---


class RoomQueues(Generic[T]):
    """Handles what happens in one room in its order, and rooms beside each other.

    ``room`` says where something happened. Where people write faster than they can be answered, some of it is left
    out, but for what ``must`` be known.
    """

    def __init__(
        self,
        handle: Callable[[T], Awaitable[None]],
        *,
        room: Callable[[T], Hashable],
        must: Callable[[T], bool],
    ) -> None:
        self._handle, self._room, self._must = handle, room, must
        self._waiting: dict[Hashable, deque[T]] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._flooded: set[Hashable] = set()
        """The rooms of which that was logged; until they are quiet again."""

    def take(self, one: T) -> None:
        """Never waits."""
        room = self._room(one)
        waiting = self._waiting.get(room)
        if waiting is None:
            waiting = self._waiting[room] = deque()
            task = asyncio.create_task(self._work(room, waiting))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        if len(waiting) < MOST_WAITING or self._must(one):
            waiting.append(one)
        elif room not in self._flooded:
            self._flooded.add(room)
            log.warning("a room asks faster than it can be answered; some of it is left out", room=room)

    async def close(self) -> None:
        """Give up on what is still being answered."""
        running = list(self._running)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=CLOSING)

    async def _work(self, room: Hashable, waiting: deque[T]) -> None:
        try:
            while waiting:
                one = waiting.popleft()
                try:
                    await self._handle(one)
                except (Exception, asyncio.CancelledError):
                    if (task := asyncio.current_task()) and task.cancelling():
                        raise  # we are closed; otherwise something was cancelled for which this one waited
                    log.exception("what happened in a room ended in a bug", room=room, kind=type(one).__name__)
        finally:
            del self._waiting[room]
            self._flooded.discard(room)


# --- an answer, whatever happens ---


async def answered(work: Awaitable[T], say: Words, *, within: float) -> T | Refused:
    """What a command comes to; ``Refused`` tells the person that it took too long (in seconds), or ended in a bug."""
    try:
        async with asyncio.timeout(within):
            return await work
    except TimeoutError:
        return Refused(say("That took too long. Try again later."))
    except Exception:  # a person waits for an answer, and the fault is ours: the log has it
        log.exception("a command failed")
        return Refused(say("Something went wrong. The relay's operator can find the reason in its log."))


def said(template: str, **codes: str) -> Text:
    """A sentence; each ``{name}`` of it becomes the value of that name, as code. Without values it is told as it is."""
    if not codes:
        return (Block((Span(template),)),)
    return (line(template, **{name: code(value) for name, value in codes.items()}),)


def failed(template: str, **codes: str) -> Answer:
    """The answer to what could not be done."""
    return Answer(text=said(template, **codes), failed=True)


def shortened(text: str, limit: int) -> str:
    """A label for a button or a choice."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


# --- what messages are called in the store ---


class MessageIds:
    """Writes the parts of a message's name as one text (``text/-100123/45``), and reads them again.

    ``form`` has a ``{name}`` for each part, ``parts`` the pattern of each. What does not fit was written by another
    version, or for another adapter: it is left alone.
    """

    def __init__(self, form: str, **parts: str) -> None:
        self._form = form
        groups = {name: f"(?P<{name}>{pattern})" for name, pattern in parts.items()}
        self._pattern = re.compile(re.escape(form).replace(r"\{", "{").replace(r"\}", "}").format(**groups), re.ASCII)

    def write(self, **parts: object) -> MessageId:
        return MessageId(self._form.format(**parts))

    def read(self, text: MessageId) -> Mapping[str, str] | None:
        """None: no message of this adapter's."""
        found = self._pattern.fullmatch(text)
        return found.groupdict() if found else None


def readable(messages: Iterable[MessageId], read: Callable[[MessageId], T | None]) -> tuple[T, ...]:
    """Those that can be read, in their order."""
    return tuple(found for one in messages if (found := read(one)) is not None)


# --- reading a line that a person typed ---


def options_in(rest: str, name: str, kind: type[BaseModel], say: Words, *, example: str) -> tuple[str, str] | Refused:
    """The arguments of command ``name`` without the platform's own options (``silent=yes``), and these as JSON.

    ``kind`` has the options, each of them yes or no; the word ``default`` takes one back.
    """
    if name not in CHOOSING:
        return rest, ""
    option = re.compile(rf"(?<!\S)(?:--)?({'|'.join(kind.model_fields)})=(\S+)")
    if not (found := option.findall(rest)):
        return rest, ""
    given = {key: None if value.casefold() == "default" else value for key, value in found}
    try:
        chosen = kind.model_validate(given).model_dump(include=set(given))
    except ValidationError:
        text = say("{options} take yes or no, as in {example}; {word} restores the default.")
        return Refused(text.format(options=", ".join(kind.model_fields), example=example, word="default"))
    return option.sub(" ", rest).strip(), json.dumps(chosen)


def places_in(parsed: Parsed, is_place: Callable[[str], bool]) -> tuple[dict[str, str], list[str], list[str]]:
    """The arguments without the places that are named, those named as the place, and those among the other words."""
    found, given = spec(parsed.name), dict(parsed.arguments)
    place = next((one.name for one in found.parameters if one.kind is Kind.PLACE), "") if found else ""
    if found is None or not place:
        return given, [], []
    typed, loose = given.pop(place, "").split(), found.parameters[0].name
    words = given.get(loose, "").split()
    if named := [word for word in words if is_place(word)]:
        given[loose] = " ".join(word for word in words if word not in named)
    return {key: value for key, value in given.items() if value}, typed, named
