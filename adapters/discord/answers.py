"""What the relay answers, as messages of Discord that the asker alone sees. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from adapters.discord.asking import custom_id
from adapters.discord.card import in_markdown, message
from adapters.discord.look import Look
from relay.model import Card
from relay.ports import Answer, Choice, Suggestion
from relay.rich import Block, Span, Text

CONTENT = 2000
MOST_PAGES = 5
MOST_CARDS = 5
MOST_CHOICES = 25
MOST_SUGGESTIONS = 25

INSTEAD = "instead"
"""What to show where Discord refuses the body that has this."""

Body = dict[str, Any]


def bodies(answer: Answer, about: str, look: Look, colours: Mapping[str, int]) -> list[Body]:
    """The messages of an answer, in order: its text, with the buttons under the last of it, then the cards.

    ``about`` is the channel that was asked about; ``look`` is how posts would be sent there.
    """
    pages: list[Body] = [{"content": content} for content in _pages(answer.text)]
    if rows := _rows(answer.choices[:MOST_CHOICES], about):
        pages[-1]["components"] = rows
    return [*pages, *(_shown(card, look, colours) for card in answer.cards[:MOST_CARDS])]


def said(text: str) -> list[Body]:
    """A sentence of our own, as the messages of an answer."""
    return [{"content": content} for content in _pages((Block((Span(text),)),))]


def choices(suggestions: Iterable[Suggestion]) -> list[tuple[str, str]]:
    """(name, value), as Discord takes them: a name that is too long is cut, a value cannot be."""
    fitting = [one for one in suggestions if 1 <= len(one.value) <= 100]
    return [(_cut(one.label or one.value, 100), one.value) for one in fitting[:MOST_SUGGESTIONS]]


def _pages(text: Text) -> list[str]:
    said = [in_markdown(page)[:CONTENT] for page in _split(text)]
    return [content for content in said if content.strip()][:MOST_PAGES] or ["…"]


def _split(text: Text) -> Iterator[Text]:
    """Between blocks, as late as the limit allows: a list of subscriptions is longer than one message."""
    page: tuple[Block, ...] = ()
    for block in text:
        if page and len(in_markdown((*page, block))) > CONTENT:
            yield page
            page = ()
        page = (*page, block)
    yield page


def _rows(asked: Sequence[Choice], about: str) -> list[Body]:
    buttons = [
        {"type": 2, "style": 2, "label": _cut(one.label, 80), "custom_id": custom_id(about, one.line)[:100]}
        for one in asked
    ]
    return [{"type": 1, "components": buttons[start : start + 5]} for start in range(0, len(buttons), 5)]


def _shown(card: Card, look: Look, colours: Mapping[str, int]) -> Body:
    """An answer comes from the relay and cannot bear the author's name and picture: the card says whose post it is."""
    style = "card" if look.style == "webhook" else look.style
    usual = replace(look, style=style, colour=colours.get(card.post.source), mention_role="")
    shown, plain = (message(card, one) for one in (usual, replace(usual, plain=True)))
    return _said(shown) | {INSTEAD: _said(plain)}


def _said(drawn: Body) -> Body:
    return {key: drawn[key] for key in ("content", "embeds", "components", "flags") if key in drawn}


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
