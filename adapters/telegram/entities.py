"""Text with entities, as Telegram takes it without a parse mode; foreign text forms no mention and no command. Pure.

What this module rests on, beside the documentation of the Bot API (``formatting options``):
- Offsets count UTF-16 code units. An entity that begins or ends in white space, or is empty, is changed or refused.
- Entities are parted or nested. Code and preformatted text hold no others, and stand in nothing but quotations;
  quotations and links stand in none of their own kind.
- The server itself makes mentions, commands, cashtags and links of what looks like them, except where it meets a link
  or code that we marked. Nothing turns this off. U+2060 in between parts them: nobody sees it.

So ``@name`` becomes no mention of a stranger, ``/word`` no command, ``$WORD`` no search, and ``t.me/…`` and ``tg:`` no
way into Telegram, unless somebody made it a link that is shown as one. A hashtag stays as it is, for Telegram to
search. Code is never changed: what is copied from it must be whole.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Any, Literal
from unicodedata import category

from adapters.telegram.limits import ENTITIES
from relay.text import units

Kind = Literal[
    "bold",
    "italic",
    "underline",
    "strikethrough",
    "spoiler",
    "code",
    "pre",
    "text_link",
    "blockquote",
    "expandable_blockquote",
]

JOINER = "\u2060"
"""Parts what must not be read as one; nobody sees it."""
QUOTES: frozenset[Kind] = frozenset({"blockquote", "expandable_blockquote"})
_CODES: frozenset[Kind] = frozenset({"code", "pre"})
_RANKS: dict[Kind, int] = {
    "spoiler": 0,
    "text_link": 1,
    "code": 2,
    "pre": 2,
    "blockquote": 3,
    "expandable_blockquote": 3,
    "bold": 4,
    "italic": 5,
    "underline": 5,
    "strikethrough": 5,
}
"""What is kept first where there is room for :data:`ENTITIES` only."""

_CALLS = re.compile(
    r"(?<![A-Za-z0-9_])@(?=\w)"  # a mention
    r"|\$(?=[A-Za-z1])"  # a cashtag
    r"|(?i:tg|ton):(?=//)"
    r"|(?<![A-Za-z0-9_~-])(?i:t|telegram)\.(?=(?i:me|dog)\b)"
)
"""Not all of it without regard to case: ``İ`` would be an ``i`` then, before which an ``@`` calls nobody."""
_SECOND = re.compile(r"(?:(?<![A-Za-z0-9_])@[\w.-]+|[#$][\w\u200c·]+)@(?=\w)")
"""The host of a handle, which would be read as a mail address, and the chat behind a hashtag."""
_COMMAND = re.compile(r"(?<![A-Za-z0-9_/<>])/(?=\w)")
_LONGEST_TAG = 256
_INVISIBLE = re.compile(r"[\s\u00ad\u034f\u115f\u1160\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ufeff\uffa0]+")


@dataclass(frozen=True, slots=True)
class Entity:
    """A run of a text with one look; ``offset`` and ``length`` are in UTF-16 code units."""

    kind: Kind
    offset: int
    length: int
    url: str = ""
    language: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As the Bot API takes it."""
        body: dict[str, Any] = {"type": self.kind, "offset": self.offset, "length": self.length}
        return body | {key: value for key in ("url", "language") if (value := getattr(self, key))}


@dataclass(frozen=True, slots=True)
class EntityText:
    """A text and its entities, ready to be sent."""

    text: str = ""
    entities: tuple[Entity, ...] = ()

    def to_dicts(self) -> list[dict[str, Any]]:
        """The entities as the Bot API takes them."""
        return [entity.to_dict() for entity in self.entities]


@dataclass(frozen=True, slots=True)
class Marked:
    """A run of a draft with one look, in code points; ``tag``: a link that Telegram may make itself, as a hashtag."""

    start: int
    end: int
    kind: Kind
    url: str = ""
    tag: bool = False


@dataclass(frozen=True, slots=True)
class EntityDraft:
    """A text that is being put together. Of two marks on the same run the outer one stands first."""

    text: str = ""
    marks: tuple[Marked, ...] = ()

    def __bool__(self) -> bool:
        return not is_blank(self.text)

    def __add__(self, other: EntityDraft | str) -> EntityDraft:
        if isinstance(other, str):
            return replace(self, text=self.text + other)
        return EntityDraft(self.text + other.text, (*self.marks, *_moved(other.marks, len(self.text))))

    def marked(self, kind: Kind, url: str = "", *, tag: bool = False) -> EntityDraft:
        """All of it with one more look, around those that it has."""
        return EntityDraft(self.text, (Marked(0, len(self.text), kind, url, tag), *self.marks))

    def stripped(self) -> EntityDraft:
        """Without white space around it."""
        start = len(self.text) - len(self.text.lstrip())
        return self._slice(start, max(start, len(self.text.rstrip())))

    def lines(self) -> Iterator[EntityDraft]:
        """Each of its lines."""
        at = 0
        for line in self.text.split("\n"):
            yield self._slice(at, at + len(line))
            at += len(line) + 1

    def _slice(self, start: int, end: int) -> EntityDraft:
        inner = (replace(one, start=max(one.start, start), end=min(one.end, end)) for one in self.marks)
        return EntityDraft(self.text[start:end], tuple(_moved((one for one in inner if one.start < one.end), -start)))

    @property
    def is_quotation(self) -> bool:
        """All of it is one quotation, which Telegram sets apart by itself."""
        return any(one.kind in QUOTES and one.end - one.start == len(self.text) for one in self.marks)

    @property
    def size(self) -> int:
        """What it takes of a message at most."""
        return units(self.text) + len(_breaks(self.text, commands=False))


def is_blank(text: str) -> bool:
    """Whether there is nothing to see in it; Telegram refuses such texts."""
    return not _INVISIBLE.sub("", text)


def joined(drafts: Iterable[EntityDraft], between: str) -> EntityDraft:
    """The drafts in which there is something to see, one behind the other."""
    whole = EntityDraft()
    for count, one in enumerate(draft for draft in drafts if draft):
        whole = whole + between + one if count else one
    return whole


def _moved(marks: Iterable[Marked], by: int) -> Iterator[Marked]:
    return (replace(one, start=one.start + by, end=one.end + by) for one in marks)


# --- from a draft to what is sent ---


def finished(draft: EntityDraft, *, commands: bool = False) -> EntityText:
    """The draft as Telegram takes it; ``commands``: what looks like a command is one, the text is our own."""
    draft = draft.stripped()
    nested = _nested(_trimmed(draft.text, (one for one in draft.marks if not _is_native(draft.text, one))))
    kept = set(sorted(nested, key=lambda one: _RANKS[one.kind])[:ENTITIES])
    closed = sorted((one.start, one.end) for one in kept if one.kind in _CODES or one.kind == "text_link")
    points = [point for point in _breaks(draft.text, commands=commands) if not _is_within(point - 1, closed)]
    moved = (
        replace(one, start=one.start + bisect_right(points, one.start), end=one.end + bisect_left(points, one.end))
        for one in nested
        if one in kept
    )
    text = _with_joiners(draft.text, points)
    return EntityText(text, tuple(_measured(text, moved)))


def _is_native(text: str, one: Marked) -> bool:
    """Whether Telegram makes a hashtag of it by itself, of all of it and of nothing around it."""
    shown, around = text[one.start : one.end], text[max(0, one.start - 1) : one.start] + text[one.end : one.end + 1]
    return (
        one.tag
        and shown[:1] == "#"
        and len(shown) <= _LONGEST_TAG
        and all(_is_tag_letter(char) for char in shown[1:])
        and any(category(char)[0] == "L" for char in shown[1:])
        and not any(_is_tag_letter(char) or char in "#@·\u200c" or "\u0d80" <= char <= "\u0dff" for char in around)
    )


def _is_tag_letter(char: str) -> bool:
    return char == "_" or category(char) == "Nd" or category(char)[0] == "L"


def _trimmed(text: str, marks: Iterable[Marked]) -> Iterator[Marked]:
    for one in marks:
        inner = text[one.start : one.end]
        start = one.start + len(inner) - len(inner.lstrip())
        if inner.strip():
            yield replace(one, start=start, end=start + len(inner.strip()))


def _nested(marks: Iterable[Marked]) -> list[Marked]:
    """Those that Telegram takes, each within the one before it or behind it."""
    kept: list[Marked] = []
    around: list[Marked] = []
    for one in sorted(marks, key=lambda one: (one.start, -one.end)):
        while around and around[-1].end <= one.start:
            around.pop()
        inner = replace(one, end=min(one.end, around[-1].end)) if around else one
        if _may_stand(inner.kind, [outer.kind for outer in around]):
            around.append(inner)
            kept.append(inner)
    return kept


def _may_stand(kind: Kind, around: Sequence[Kind]) -> bool:
    if kind in _CODES:
        return QUOTES.issuperset(around)
    if kind in QUOTES:
        return set(around) <= {"spoiler"}
    return kind not in around and not _CODES.intersection(around)


def _breaks(text: str, *, commands: bool) -> list[int]:
    """Where a joiner must stand so that Telegram makes nothing of the text."""
    rules = (_CALLS, _SECOND) if commands else (_CALLS, _SECOND, _COMMAND)
    return sorted({found.end() for rule in rules for found in rule.finditer(text)})


def _is_within(position: int, ranges: Sequence[tuple[int, int]]) -> bool:
    """Whether one of the ranges, which are sorted and parted, holds the position."""
    index = bisect_right(ranges, position, key=lambda one: one[0]) - 1
    return index >= 0 and position < ranges[index][1]


def _with_joiners(text: str, points: Sequence[int]) -> str:
    edges = [0, *points, len(text)]
    return JOINER.join(text[start:end] for start, end in pairwise(edges))


def _measured(text: str, marks: Iterable[Marked]) -> Iterator[Entity]:
    at = range(len(text) + 1) if text.isascii() else [0, *accumulate(1 + (char > "\uffff") for char in text)]
    for one in marks:
        yield Entity(one.kind, at[one.start], at[one.end] - at[one.start], one.url)
