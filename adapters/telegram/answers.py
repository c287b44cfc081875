"""What the relay answers, as Telegram's messages: text, buttons, and what a button carries. Asks nobody."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from string import Formatter
from typing import Any

from adapters.telegram.address import Place
from adapters.telegram.card import answer as in_pages
from adapters.telegram.entities import Words as Written
from relay.i18n import Words
from relay.ports import Answer, Choice
from relay.rich import Block, Mark, Span, Text
from relay.text import cut, text_content, units

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
class Button:
    label: str
    data: str


@dataclass(frozen=True, slots=True)
class Page:
    """One message of an answer."""

    words: Written
    rows: tuple[tuple[Button, ...], ...] = ()

    def body(self) -> dict[str, Any]:
        """As the Bot API takes it, without the chat."""
        body: dict[str, Any] = {"text": self.words.text, "entities": self.words.to_dicts()}
        if self.rows:
            drawn = [[{"text": one.label, "callback_data": one.data} for one in row] for row in self.rows]
            body["reply_markup"] = {"inline_keyboard": drawn}
        return body


def pages(answer: Answer, carried: Callable[[str], str]) -> tuple[Page, ...]:
    """The text of an answer, with the buttons under the last of it; ``carried`` is what a button takes of its line."""
    *before, last = in_pages(answer.text)[:MOST_PAGES]
    return (*(Page(one) for one in before), Page(last, tuple(_rows(answer.choices[:MOST_CHOICES], carried))))


def said(template: str, **codes: str) -> Text:
    """A sentence of our own; each ``{name}`` of it becomes the value of that name, as code."""
    return (_sentence(template, codes),)


def failed(template: str, **codes: str) -> Answer:
    return Answer(text=said(template, **codes), failed=True)


def toast(answer: Answer) -> str:
    """The answer in as many letters as fit over a chat for a moment."""
    return text_content(cut(answer.text, TOAST, measure=units))


def greeting(say: Words) -> Text:
    """For a person who begins to talk with the relay."""
    return (
        *_first(say),
        *said(say("For a channel, make me an administrator there who may post messages, then write {command} to me."),
              command="/subscribe #Qeswachaka @channel"),
        *said(say("/help tells all that I can.")),
    )  # fmt: skip


def hello(say: Words) -> Text:
    """For a group that has just let the relay in."""
    return (
        *_first(say),
        *said(say("An administrator begins like this: {command}"), command="/subscribe #Qeswachaka"),
        *said(say("/help tells all that I can.")),
    )


def _first(say: Words) -> Text:
    return said(say("I bring what people write on the open social web into this chat: hashtags, accounts, feeds."))


def _sentence(template: str, codes: dict[str, str]) -> Block:
    spans: list[Span] = []
    for text, name, _, _ in Formatter().parse(template) if codes else [(template, None, None, None)]:
        spans += [Span(text)] if text else []
        spans += [Span(codes[name], marks=(Mark.CODE,))] if name else []
    return Block(tuple(spans))


def _rows(choices: tuple[Choice, ...], carried: Callable[[str], str]) -> Iterator[tuple[Button, ...]]:
    buttons = [Button(_cut(one.label, LABEL), carried(one.line)) for one in choices]
    for start in range(0, len(buttons), IN_A_ROW):
        yield tuple(buttons[start : start + IN_A_ROW])


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


# --- what a button carries ---


@dataclass(slots=True)
class Carried:
    """Puts a command line and the chat that it is about into a button, and reads it again.

    A chat in which the button itself stands is not written; what does not fit is remembered, until the relay stops.
    """

    _kept: OrderedDict[str, str] = field(default_factory=OrderedDict)

    def write(self, line: str, about: Place, here: Place) -> str:
        whole = line if about == here else f"{about} {line}"
        return whole if len(whole.encode()) <= DATA else self._keep(whole)

    def read(self, data: str, here: Place) -> tuple[Place, str] | None:
        """None: an older relay remembered it."""
        whole = self._kept.get(data, "") if data.startswith(_KEPT) else data
        if not whole:
            return None
        first, _, rest = whole.partition(" ")
        if not first.startswith(("@", "-")) and not first[:1].isdigit():
            return here, whole
        about = Place.parse(first)
        return None if about is None else (about, rest)

    def _keep(self, whole: str) -> str:
        key = _KEPT + secrets.token_urlsafe(9)  # never that of an older button, which would mean something else
        self._kept[key] = whole
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return key
