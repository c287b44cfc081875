"""The command table: one definition for every platform, with parsing and help. Pure.

An adapter shows the table in its platform's own way (slash commands, a menu, a prefix) and hands what people ask for to
the inbox as a :class:`relay.ports.Command`. Who carries them out is in ``handlers``. A platform of plain text, and a
pressed button, bring a line: :func:`parse` reads it. ``say`` is how a text reads in the person's language.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from relay.i18n import ENGLISH, Words, later
from relay.options import DELIVERY_OPTIONS, FILTERS, Kind, Option
from relay.text import clean


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    name: str
    summary: str
    """In English; a key for ``relay.language``."""
    kind: Kind
    required: bool = False
    choices: tuple[tuple[str, str], ...] = ()
    """Of a CHOICE: (value, label); the label is in English, as above."""
    brief: bool = False
    """Help tells of it together with others of its kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """One command."""

    name: str
    summary: str
    parameters: tuple[Parameter, ...] = ()
    manages: bool = False
    """Only for people who may manage the destination."""


_CHANNEL = Parameter(name="channel", summary=later("The channel (default: this one)"), kind=Kind.PLACE)
NOTHING = "-"
"""What takes an option back."""
BACK = frozenset({NOTHING, "–", "—"})
"""The same, as some keyboards write it."""


def _of(name: str, option: Option) -> Parameter:
    brief = name != "mode"
    return Parameter(name=name, summary=option.summary, kind=option.kind, choices=option.choices, brief=brief)


_MODE, *_DELIVERY = (_of(name, one) for name, one in DELIVERY_OPTIONS.items())
_FILTERS = [_of(name, one) for name, one in FILTERS.items()]
LISTED = Parameter(
    name="listed",
    summary=later("Whether others can see which hashtags this channel follows"),
    kind=Kind.CHOICE,
    choices=(
        ("yes", later("shown on the front page and suggested to everyone")),
        ("no", later("only this community can see them")),
    ),
)
"""Of the channel itself, not of one of its topics."""
_OWN = Parameter(name="topic", summary=later("The topic (default: all)"), kind=Kind.OWN)

TABLE: tuple[Spec, ...] = (
    Spec(
        name="subscribe",
        summary=later("Follow a hashtag, an account, a thread or a feed in a channel"),
        manages=True,
        parameters=(
            Parameter(
                name="topic",
                summary=later("#hashtag, @who@server, or the address of a thread or a feed"),
                kind=Kind.TOPIC,
                required=True,
            ),
            _CHANNEL,
            _MODE,
            Parameter(name="networks", summary=later("The networks to look in (default: all)"), kind=Kind.NETWORKS),
            *_FILTERS,
            *_DELIVERY,
        ),
    ),
    Spec(
        name="unsubscribe",
        summary=later("Stop following a topic"),
        manages=True,
        parameters=(
            Parameter(name="topic", summary=later("The topic"), kind=Kind.OWN, required=True),
            _CHANNEL,
        ),
    ),
    Spec(name="subscriptions", summary=later("List what this channel follows"), parameters=(_CHANNEL,)),
    Spec(name="pause", summary=later("Pause deliveries"), manages=True, parameters=(_OWN, _CHANNEL)),
    Spec(name="resume", summary=later("Resume deliveries"), manages=True, parameters=(_OWN, _CHANNEL)),
    Spec(
        name="preview",
        summary=later("Show the latest posts on a topic"),
        parameters=(
            Parameter(
                name="topic",
                summary=later("#hashtag, @who@server, or the address of a thread or a feed"),
                kind=Kind.TOPIC,
                required=True,
            ),
        ),
    ),
    Spec(
        name="unroll",
        summary=later("Read a whole thread as one text"),
        parameters=(
            Parameter(
                name="url", summary=later("The address of any post in the thread"), kind=Kind.LINK, required=True
            ),
        ),
    ),
    Spec(
        name="settings",
        summary=later("See or change how a topic's posts arrive, or who can see what the channel follows"),
        manages=True,
        parameters=(
            Parameter(name="topic", summary=later("The topic (default: the channel itself)"), kind=Kind.OWN),
            _CHANNEL,
            LISTED,
            _MODE,
            *_FILTERS,
            *_DELIVERY,
        ),
    ),
    Spec(name="status", summary=later("Check whether everything works here"), parameters=(_CHANNEL,)),
    Spec(name="help", summary=later("What this relay does and how to use it")),
)


# --- a line becomes a command ---


@dataclass(frozen=True, slots=True)
class Parsed:
    """A command of the table, with arguments that it takes, as they were typed."""

    name: str
    arguments: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with a line, and what to do about it, for the person who wrote it."""

    text: str


_QUOTES = {'"': '"', "“": "”", "„": "“", "«": "»"}
_WORD = re.compile(
    r"""(?:(?P<key>[^\W\d_]+(?:_[^\W\d_]+)*)=)?"""
    # one that is never closed is looked for no further than anybody writes
    r"""(?:"(?P<a>[^"]{0,1000})"|“(?P<b>[^”]{0,1000})”|„(?P<c>[^“]{0,1000})“|«(?P<d>[^»]{0,1000})»|(?P<bare>\S+)"""
    r"""|(?<==)(?=\s|$))"""  # a name with nothing after it
)


def spec(name: str) -> Spec | None:
    """The command of this name, whatever its case."""
    return next((one for one in TABLE if one.name == name.casefold()), None)


def label(parameter: str, value: str) -> str:
    """How people read the value of a choice, in English; the value itself where it is none."""
    choices = (one.choices for command in TABLE for one in command.parameters if one.name == parameter)
    return next((dict(some)[value] for some in choices if value in dict(some)), value)


def parse(line: str, *, prefix: str = "/", say: Words = ENGLISH) -> Parsed | Mistake:
    """Read a typed line: the command, what it is about, then ``name=value``; quotes keep words together.

    ``prefix`` is left out where the line has it. Words that belong to no name are the first parameter.
    """
    command, *rest = line.strip().removeprefix(prefix).split(maxsplit=1) or [""]
    found = spec(command)
    if found is None:
        return _unknown(command, say)
    return _read(found, list(_words("".join(rest), found)), say)


def command_of(line: str, *, say: Words = ENGLISH) -> Parsed | Mistake:
    """Read the line of a :class:`relay.ports.Choice`, when its button is pressed."""
    return parse(line, prefix="", say=say)


def mistake_in(name: str, arguments: Mapping[str, str], say: Words = ENGLISH) -> Mistake | None:
    """What is wrong with a command that a platform's own form brought; None: nothing."""
    found = spec(name)
    if found is None:
        return _unknown(name, say)
    answer = _read(found, list(arguments.items()), say)
    return answer if isinstance(answer, Mistake) else None


def nearest(name: str, known: Iterable[str]) -> str:
    """What was meant perhaps; empty where nothing is near."""
    by_case = {one.casefold(): one for one in known}
    return next((by_case[one] for one in get_close_matches(name.casefold()[:80], by_case, n=1)), "")


def _unknown(name: str, say: Words) -> Mistake:
    if not name:
        return Mistake(say("What would you like me to do? “help” lists what I can do."))
    if near := nearest(name, [one.name for one in TABLE]):
        text = say("There is no command “{name}”. Did you mean “{near}”?")
        return Mistake(text.format(name=clean(name, limit=40), near=near))
    return Mistake(say("There is no command “{name}”. “help” lists the commands.").format(name=clean(name, limit=40)))


def _words(rest: str, found: Spec) -> Iterator[tuple[str, str]]:
    """The arguments in pairs of name and value; the name is empty where none was written."""
    for word in _WORD.finditer(rest):
        value = next((word[group] for group in ("a", "b", "c", "d") if word[group] is not None), word["bare"] or "")
        if not word["key"]:
            yield "", value
        elif _is_name(word["key"], found):
            yield word["key"].casefold(), value
        else:
            yield "", word[0]


def _is_name(key: str, found: Spec) -> bool:
    """Whether ``key=`` begins an argument: it names one, or looks so much like one that it was meant to."""
    return bool(nearest(key, [one.name for one in found.parameters]))


def _read(found: Spec, words: list[tuple[str, str]], say: Words) -> Parsed | Mistake:
    known = {one.name: one for one in found.parameters}
    arguments: dict[str, str] = {}
    if known and (loose := " ".join(value for name, value in words if not name)):
        arguments[found.parameters[0].name] = loose
    for name, value in words:
        if name and name not in known:
            return _no_parameter(name, found, say)
        if name:
            arguments[name] = value
    return _wrong(found, arguments, say) or Parsed(found.name, arguments)


def _no_parameter(name: str, found: Spec, say: Words) -> Mistake:
    shown = {"command": found.name, "name": clean(name, limit=40)}
    if near := nearest(name, [one.name for one in found.parameters]):
        return Mistake(say("“{command}” has no option “{name}”. Did you mean “{near}”?").format(near=near, **shown))
    return Mistake(say("“{command}” has no option “{name}”.").format(**shown))


def _wrong(found: Spec, arguments: Mapping[str, str], say: Words) -> Mistake | None:
    for one in found.parameters:
        value = arguments.get(one.name, "").strip()
        if one.required and not value:
            text = say("“{command}” needs one more thing: {name} ({summary}).")
            return Mistake(text.format(command=found.name, name=one.name, summary=say(one.summary)))
        takes_back = value in BACK and (one.name in FILTERS or one.name in DELIVERY_OPTIONS)
        if value and one.kind is Kind.CHOICE and value not in dict(one.choices) and not takes_back:
            return _no_choice(one, value, say)
    return None


def _no_choice(one: Parameter, value: str, say: Words) -> Mistake:
    choices = "; ".join(f"{key} ({say(label)})" for key, label in one.choices)
    text = say("“{name}” cannot be “{value}”. Choose one of: {choices}.")
    return Mistake(text.format(value=clean(value, limit=40), name=one.name, choices=choices))
