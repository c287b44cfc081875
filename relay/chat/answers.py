"""Answers as rich text: a sentence with bold, code or a link where its placeholders stand."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from relay.core.option_types import text_of
from relay.i18n import Words
from relay.model import CHAT, Subscription
from relay.options import Filters, Option, values
from relay.ports import Answer, Choice
from relay.rich import Block

_SHORT = 80
"""Characters that are shown of a filter where several things stand on one line."""
BY = "by "
"""How the pause of a subscription begins that a person asked for; the rest is who."""


def done(*blocks: Block, choices: tuple[Choice, ...] = ()) -> Answer:
    return Answer(text=blocks, choices=choices)


def failed(*blocks: Block) -> Answer:
    """Nothing was done; the blocks say why, and what to do."""
    return Answer(text=blocks, failed=True)


def state(one: Subscription, say: Words) -> str:
    """What is special about a subscription, on one line; empty where nothing is."""
    parts = [_pause(one.paused, say)] if one.paused else []
    if one.networks:
        parts.append(say("from {networks}").format(networks=", ".join(one.networks)))
    parts += _held_back(one.filters, say)
    if one.origin != CHAT:
        parts.append(say("set in the relay's configuration"))
    return " · ".join(parts)


def _held_back(filters: Filters, say: Words) -> list[str]:
    """What holds posts back, each in few words."""
    set_ones = ((option, value) for _, option, value in values(filters) if value != option.default)
    return [_in_short(option, value, say) for option, value in set_ones]


def _in_short(option: Option, value: Any, say: Words) -> str:
    if option.short:
        return say(option.short).format(value=_short(text_of(value)))
    return say(option.labels[value])


def _short(text: str) -> str:
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 1]}…"


def _pause(reason: str, say: Words) -> str:
    if reason.startswith(BY):
        return say("paused by {user}").format(user=reason.removeprefix(BY))
    return say("paused: {reason}").format(reason=reason)


def ago(then: datetime | None, now: datetime, say: Words) -> str:
    """How long ago something was, for people."""
    if then is None:
        return say("never")
    minutes = int((now - then).total_seconds() // 60)
    if minutes < 1:
        return say("just now")
    if minutes < 120:
        return say.many("{n} minute ago", "{n} minutes ago", minutes)
    if minutes < 48 * 60:
        return say.many("{n} hour ago", "{n} hours ago", minutes // 60)
    return say.many("{n} day ago", "{n} days ago", minutes // (24 * 60))
