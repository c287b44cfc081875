"""A small reader of Discord's Markdown: what its people would see, by the rules of its clients.

The rules are those of the clients' public ancestor (simple-markdown) with Discord's changes, as its help pages and
engineers tell them: escapes mean nothing in a masked link's text, emoji and addresses there break the link.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

CODE_BLOCK = re.compile(r"```(?:([a-z0-9_+\-.#]+?)\n)?\n*([^\n][\s\S]*?)\n*```", re.IGNORECASE)
ESCAPE = re.compile(r"\\([^0-9A-Za-z\s])")
AUTOLINK = re.compile(r"<([^: >]+:/[^ >]+)>")
URL = re.compile(r"((?:https?|steam)://[^\s<]+[^<.,:;\"'\]\s])")
LINK = re.compile(
    r"\[((?:\[[^\]]*\]|[^\[\]]|\](?=[^\[]*\]))*)\]"
    r"\(\s*<?((?:\([^)]*\)|[^\s\\]|\\.)*?)>?(?:\s+['\"]([\s\S]*?)['\"])?\s*\)"
)
MARKS = {
    "bold": re.compile(r"\*\*((?:\\[\s\S]|[^\\])+?)\*\*(?!\*)"),
    "underline": re.compile(r"__((?:\\[\s\S]|[^\\])+?)__(?!_)"),
    "italic": re.compile(
        r"_((?:__|\\[\s\S]|[^\\_])+?)_(?![0-9A-Za-z_])"
        r"|\*(?=\S)((?:\*\*|\\[\s\S]|\s+(?:\\[\s\S]|[^\s*\\]|\*\*)|[^\s*\\])+?)\*(?!\*)"
    ),
    "strike": re.compile(r"~~([\s\S]+?)~~(?!_)"),
    "spoiler": re.compile(r"\|\|([\s\S]+?)\|\|"),
}
CODE = re.compile(r"(`+)([\s\S]*?[^`])\1(?!`)")
FORMS = {
    "mention": re.compile(r"<(?:@[!&]?|#)\d+>|@everyone|@here"),
    "timestamp": re.compile(r"<t:-?\d+(?::[a-zA-Z])?>"),
    "emoji": re.compile(r"<a?:\w+:\d+>|:[\w~+-]+:"),
    "command": re.compile(r"</[^>]*:\d+>|<id:\w+>"),
}
QUOTE = re.compile(r" *>>> +([\s\S]*)|(?: *>(?!>>) +[^\n]*(?:\n|$))+")
LINE = {
    "heading": re.compile(r" *#{1,3}\s+(?!#)(?=\S)"),
    "small": re.compile(r" *-# +"),
    "item": re.compile(r" *(?:[*-]|\d+\.) +"),
}
WORD = re.compile(r"[0-9A-Za-z]+(?![0-9A-Za-z]*://)")
EMOJI = re.compile("[\u2600-\u27bf\U0001f000-\U0001faff\ufe0f\u00a9\u00ae]")
INVISIBLE = re.compile("[\u200b\u2068\u2069]")


@dataclass
class Seen:
    """What a reader sees. ``facts`` are the forms that Discord would have made of the text, with their text."""

    text: str = ""
    links: list[tuple[str, str]] = field(default_factory=list)
    facts: list[tuple[str, str]] = field(default_factory=list)

    def all(self, kind: str) -> list[str]:
        return [text for fact, text in self.facts if fact == kind]


def read(source: str) -> Seen:
    """What Discord shows of a Markdown source."""
    seen = Seen()
    seen.text = "".join(_parts(source, seen, frozenset()))
    return seen


def letters(text: str) -> str:
    """A text without white space and what nobody sees."""
    return INVISIBLE.sub("", "".join(text.split()))


def _parts(source: str, seen: Seen, around: frozenset[str]) -> Iterator[str]:
    at, starts = 0, True
    while at < len(source):
        length, text = _rule(source, at, seen, around, starts=starts)
        yield text
        at += length
        starts = source[at - 1] == "\n"


def _rule(source: str, at: int, seen: Seen, around: frozenset[str], *, starts: bool) -> tuple[int, str]:
    if starts and "link" not in around:
        for kind, rule in LINE.items():
            if found := rule.match(source, at):
                seen.facts.append((kind, source[found.end() :].partition("\n")[0]))
                return len(found[0]), ""
        if "quote" not in around and (found := QUOTE.match(source, at)):
            inner = found[1] or re.sub(r"^ *> ", "", found[0], flags=re.MULTILINE)
            return len(found[0]), _inner("quote", inner, seen, around)
    return _inline(source, at, seen, around)


def _inner(kind: str, source: str, seen: Seen, around: frozenset[str]) -> str:
    text = "".join(_parts(source, seen, around | {kind}))
    seen.facts.append((kind, text))
    return text


def _inline(source: str, at: int, seen: Seen, around: frozenset[str]) -> tuple[int, str]:
    if found := CODE_BLOCK.match(source, at):
        seen.facts.append(("block", found[2]))
        return len(found[0]), found[2] + "\n"
    return (
        ("link" not in around and _reference(source, at, seen, around))
        or _marked(source, at, seen, around)
        or _form(source, at, seen)
        or _plain(source, at)
    )


def _reference(source: str, at: int, seen: Seen, around: frozenset[str]) -> tuple[int, str] | None:
    """An escape or a link: neither is read within a link's text."""
    if found := ESCAPE.match(source, at):
        return 2, found[1]
    if found := AUTOLINK.match(source, at) or URL.match(source, at):
        seen.links.append((found[1], found[1]))
        if found[0][0] != "<":
            seen.facts.append(("unfurled", found[1]))
        return len(found[0]), found[1]
    if (found := LINK.match(source, at)) and _is_link(found[1]):
        text = _inner("link", found[1], seen, around)
        seen.links.append((text, found[2]))
        return len(found[0]), text
    return None


def _marked(source: str, at: int, seen: Seen, around: frozenset[str]) -> tuple[int, str] | None:
    marks = [(kind, found) for kind, rule in MARKS.items() if (found := rule.match(source, at))]
    if not marks:
        return None
    kind, found = max(marks, key=lambda mark: (len(mark[1][0]), mark[0] == "italic"))
    return len(found[0]), _inner(kind, next(group for group in found.groups() if group), seen, around)


def _form(source: str, at: int, seen: Seen) -> tuple[int, str] | None:
    if found := CODE.match(source, at):
        seen.facts.append(("code", found[2]))
        return len(found[0]), found[2]
    for kind, rule in FORMS.items():
        if found := rule.match(source, at):
            seen.facts.append((kind, found[0]))
            return len(found[0]), found[0]
    return None


def _plain(source: str, at: int) -> tuple[int, str]:
    found = WORD.match(source, at)
    return (len(found[0]), found[0]) if found else (1, source[at])


def _is_link(text: str) -> bool:
    return bool(INVISIBLE.sub("", text).strip()) and "://" not in text and not EMOJI.search(text)
