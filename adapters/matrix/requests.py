"""What a person asks for on Matrix, read from a message: reads, asks nobody, answers nothing. Pure.

Who asks and where is what the homeserver says of the message, never what stands in its text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import unquote

from adapters.matrix.address import is_alias, is_id
from adapters.matrix.mentions import JOINER
from adapters.matrix.settings import MatrixOptions
from adapters.matrix.shapes import MESSAGE, MatrixEvent
from relay.core.commands import Mistake, Parsed, parse, spec
from relay.i18n import Words
from relay.kit import options_in, places_in
from relay.ports import Refused

LANGUAGE = "language"
"""The one command of Matrix's own: in which language the relay answers in a room."""
LONGEST = 4_000
"""Letters of a message that are looked at; a command is shorter."""

_LINK = re.compile(r"https://matrix\.to/#/([^?/\s]+)(?:\?\S*)?")


@dataclass(frozen=True, slots=True)
class MatrixLine:
    """A line that may be a command. ``prefixed``: it can only be meant for us."""

    text: str
    prefixed: bool

    @property
    def known(self) -> bool:
        """Whether it begins with a word of the table."""
        name = _first(self.text)
        return name == LANGUAGE or spec(name) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixRequest:
    """Which command, with what; ``about`` is another room that was named, empty: the one in which it is asked."""

    name: str
    arguments: Mapping[str, str]
    about: str = ""
    options: str = ""
    """Options of Matrix's own, as :attr:`relay.ports.Command.options`."""


def line_in(event: MatrixEvent, *, us: str, prefix: str) -> MatrixLine | None:
    """The line that a message is; None: it is none that a person has just written."""
    if event.type != MESSAGE or event.sender == us or event.text("msgtype") != "m.text":
        return None  # notices are of bots, which could talk with us for ever
    if event.text("m.relates_to", "rel_type") == "m.replace":
        return None
    body = event.text("body")[:LONGEST].replace(JOINER, "")  # it comes along where our own words are copied
    if event.text("m.relates_to", "m.in_reply_to", "event_id"):
        body = _without_quote(body)
    body = body.strip()
    if not body:
        return None
    first, *rest = body.split(maxsplit=1)
    if first.casefold() == prefix.casefold():
        return MatrixLine("".join(rest), prefixed=True)
    return MatrixLine(body, prefixed=False)


def root_of(event: MatrixEvent) -> str:
    """The event below which the answer stands: no thread begins at one that itself belongs to another."""
    return event.text("m.relates_to", "event_id") if event.text("m.relates_to", "rel_type") else event.event_id


def asked_in(text: str, say: Words, *, home: str) -> MatrixRequest | Refused:
    """What a line asks for; ``Refused`` says what to do instead. ``home``: the server of aliases that name none."""
    name = _first(text) or "help"
    rest = "".join(text.split(maxsplit=1)[1:])
    if name == LANGUAGE:
        return MatrixRequest(name=LANGUAGE, arguments={LANGUAGE: rest.strip()} if rest.strip() else {})
    read = options_in(rest, name, MatrixOptions, say, example="notify=yes")
    if isinstance(read, Refused):
        return read
    rest, options = read
    parsed = parse(f"{name} {rest}", prefix="", say=say)
    if isinstance(parsed, Mistake):
        return Refused(parsed.text)
    asked = _placed(parsed, say, home)
    return replace(asked, options=options) if isinstance(asked, MatrixRequest) else asked


def _first(text: str) -> str:
    """The command's name as it was typed; a ``/`` before it is for other platforms, and does no harm here."""
    return "".join(text.split(maxsplit=1)[:1]).removeprefix("/").casefold()


def _without_quote(body: str) -> str:
    """What old clients quote above an answer is not the writer's own."""
    lines = body.splitlines(keepends=True)
    while lines and lines[0].startswith(">"):
        del lines[0]
    return "".join(lines)


# --- which room ---


def _placed(parsed: Parsed, say: Words, home: str) -> MatrixRequest | Refused:
    given, places, named = places_in(parsed, lambda word: bool(room_named(word)))
    typed = [*(room_named(one, home) or one for one in places), *map(room_named, named)]
    if not typed:
        return MatrixRequest(name=parsed.name, arguments=given)
    if len(typed) > 1:
        return Refused(say("One room at a time, please."))
    if not room_named(typed[0]):
        return Refused(
            say("That is not a room. Write its address, such as {alias}, or its id, which begins with {mark}.").format(
                alias="#plaza:example.org", mark="!"
            )
        )
    return MatrixRequest(name=parsed.name, arguments=given, about=typed[0])


def room_named(typed: str, home: str = "") -> str:
    """A room as people write it: its alias, its id, a link to it; empty: it is none.

    ``home`` completes an alias without a server, where it can be no hashtag.
    """
    link = _LINK.fullmatch(typed)
    address = unquote(link[1]) if link else typed
    if home and address.startswith("#") and ":" not in address:
        address = f"{address}:{home}"
    return address if is_id(address) or is_alias(address) else ""
