"""What the relay says of itself and of its commands. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from string import Formatter

from relay.core.commands import LANGUAGES, MANNER, NOTHING, ONLY, SIEVE, TABLE, Say, Spec, english
from relay.rich import Block, Form, Mark, Span, Text


def usage(one: Spec, prefix: str = "/") -> str:
    """How the command is written: ``/subscribe topic [mode] [filters]``."""
    plain = [each for each in one.parameters if not (each.filters or each.manners)]
    names = [each.name if each.required else f"[{each.name}]" for each in plain]
    more = ["[…]"] if len(plain) < len(one.parameters) else []
    return " ".join([prefix + one.name, *names, *more])


def help_text(say: Say = english, *, prefix: str = "/") -> Text:
    """What the relay does, and every command of the table."""
    return (
        Block(
            (Span(say("I bring what people write on the open social web into this chat: hashtags, accounts, feeds.")),)
        ),
        *(_help_line(one, say, prefix) for one in TABLE),
        Block((Span(say("The commands with a ★ are for people who may manage the channel.")),)),
        _help_filters(say, prefix),
        _help_manners(say, prefix),
    )


def _help_filters(say: Say, prefix: str) -> Block:
    names = " ".join(f"{one.name}=" for one in (LANGUAGES, ONLY, *SIEVE))
    shown = {"names": names, "example": f'{prefix}settings 1 words="bridge, rope" without=sale', "nothing": NOTHING}
    text = say("Where […] stands, say which posts you want: {names}. Like {example}; {nothing} takes one back.")
    return Block(tuple(_with_code(text, shown)))


def _help_manners(say: Say, prefix: str) -> Block:
    names = " ".join(f"{one.name}=" for one in MANNER)
    shown = {"names": names, "example": f'{prefix}settings 1 mode=digest at="08:00 America/Lima"'}
    text = say("And how they come: {names}. Like {example}.")
    return Block(tuple(_with_code(text, shown)))


def _with_code(text: str, shown: Mapping[str, str]) -> Iterator[Span]:
    for said, name, _, _ in Formatter().parse(text):
        if said:
            yield Span(said)
        if name:
            yield Span(shown[name], marks=(Mark.CODE,))


def _help_line(one: Spec, say: Say, prefix: str) -> Block:
    star = " ★" if one.manages else ""
    spans = (Span(usage(one, prefix), marks=(Mark.CODE,)), Span(f"{star} — {say(one.summary)}"))
    return Block(spans, form=Form.ITEM, depth=1, bullet="•")
