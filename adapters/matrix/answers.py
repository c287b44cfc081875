"""What the relay answers and says by itself on Matrix: commands are written as people type them here. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from adapters.matrix.outcomes import ENCRYPTED
from relay.core.commands import spec
from relay.i18n import LOCALES, Words
from relay.kit import said
from relay.ports import Answer
from relay.rich import Block, Form, Span, SpanStyle, Text

LANGUAGES = ("en", *sorted(one.name for one in LOCALES.iterdir() if one.is_dir()))
"""What the relay speaks."""
MOST_CARDS = 5
MOST_CHOICES = 24

_COMMAND = re.compile(r"/(\w+)(?!\S*/)")


def shown(answer: Answer, prefix: str, about: str = "") -> Text:
    """The text of an answer, and what to do next as lines to be typed. ``about``: the room that was named for it."""
    place = f" {about}" if about else ""
    choices = ((one.label, f"{prefix} {one.line}{place}") for one in answer.choices[:MOST_CHOICES])
    return (*as_typed(answer.text, prefix), *(_choice(label, line) for label, line in choices))


def _choice(label: str, line: str) -> Block:
    spans = (Span(f"{label}: "), Span(line, marks=(SpanStyle.CODE,)))
    return Block(spans, form=Form.ITEM, depth=1, bullet="•")


def as_typed(text: Text, prefix: str) -> Text:
    """Commands that are told as ``/help``, the way in which they are typed here."""
    return tuple(replace(block, spans=tuple(_typed(block.spans, prefix))) for block in text)


def _typed(spans: Iterable[Span], prefix: str) -> Iterable[Span]:
    for span in spans:
        found = _COMMAND.match(span.text) if SpanStyle.CODE in span.marks else None
        yield replace(span, text=f"{prefix} {span.text[1:]}") if found and spec(found[1]) else span


# --- what the relay says by itself ---


def hello(say: Words, *, prefix: str, power: int, direct: bool = False) -> Text:
    """For a room that has just let the relay in."""
    begin = f"{prefix} subscribe #Qeswachaka"
    first = (
        said(say("Start with: {command}"), command=begin)
        if direct
        else said(say("If your power level here is {power} or more, start with: {command}"),
                  power=str(power), command=begin)
    )  # fmt: skip
    return (
        *said(say("I post hashtags, accounts and feeds from the open social web in this chat.")),
        *first,
        *said(say("{command} lists everything I can do."), command=f"{prefix} help"),
    )


def back(say: Words, *, prefix: str) -> Text:
    """For a room that has let the relay in again."""
    return said(say("I'm back. Deliveries here are paused — {command} starts them again."),
                command=f"{prefix} resume")  # fmt: skip


def sealed(say: Words) -> Text:
    """For a room that is encrypted."""
    return said(say(ENCRYPTED))


def language_line(say: Words, *, prefix: str) -> Text:
    """The last line of what ``help`` tells."""
    text = say("{command} sets the language I use in this room: {languages}.")
    return said(text.replace("{languages}", ", ".join(LANGUAGES)), command=f"{prefix} language {LANGUAGES[-1]}")


def language_of(typed: str) -> str:
    """The language that is meant, of those that the relay speaks; empty: none of them."""
    tag = typed.strip().replace("_", "-").casefold()
    return tag.split("-")[0] if tag.split("-")[0] in LANGUAGES else ""


def parted(say: Words, *, prefix: str, us: str, by: str, banned: bool) -> str:
    """Why nothing can be posted in a room that we are in no longer, in words for people."""
    if not by:
        text = say("I am no longer in this room. Invite me again, then use {resume}.")
    elif by == us:
        text = say("I have left this room. Invite me again, then use {resume}.")
    elif banned:
        text = say("{user} banned me from this room. Lift the ban, invite me again, then use {resume}.")
    else:
        text = say("{user} removed me from this room. Invite me again, then use {resume}.")
    return text.format(user=by, resume=f"{prefix} resume")
