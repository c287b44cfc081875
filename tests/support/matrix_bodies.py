"""Matrix messages: what readers see of them, and whether a client could make of them what nobody meant."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urlsplit

from hypothesis import strategies as st

from adapters.matrix.card import MatrixText
from adapters.matrix.style import MatrixStyle
from relay.i18n import words
from relay.model import Media, MediaKind, Post, Quote
from relay.rich import Block, Form, Role, Span, SpanStyle, Text
from relay.testing import author, post, text
from relay.text import honest
from tests.support.discord_bodies import LINK, PICTURE, VIDEO
from tests.support.discord_bodies import POSTS as MANY

LOOK = MatrixStyle(words("en"))
PAGE = "https://relay.example/t/abc"
JOINER = "\u2060"

# The client-server API, "m.room.message msgtypes", and of it only what every client of today reads.
_PLAIN = frozenset(
    ("p", "br", "hr", "h3", "h4", "strong", "em", "del", "u", "code", "pre", "blockquote", "ul", "li", "sub")
)
_ATTRIBUTES = {**dict.fromkeys(_PLAIN, ""), "ol": "start", "a": "href", "span": "data-mx-spoiler"}
_VOID = {"br", "hr"}
_BLOCKS = {"p", "hr", "h3", "h4", "pre", "blockquote", "ul", "ol", "li"}
_CALLS = (re.compile("@room", re.IGNORECASE), re.compile(r"matrix\.to[/:?#]|matrix:[^\s\u2060]", re.IGNORECASE))
_IDS = (re.compile(r"[@#!+](?!\u2060)[^\s:]+:[\w\[]"), re.compile(r"![\w-]{43}(?![\w-])"))
_SURE_IDS = (re.compile(r"(?<![\w.])[@#!][\w.=/+-]+:[A-Za-z0-9]"), _IDS[1])
"""What is an id wherever it stands, also in code, where ``git@host:path`` is none."""
_UNWANTED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066\u2067]")


@dataclass
class Read(HTMLParser):
    """What a client reads in a ``formatted_body``; fails on what it would take out or close by itself."""

    html: str
    text: str = ""
    outside: str = ""
    """Of the text what is no code: there clients look for mentions."""
    links: list[tuple[str, str]] = field(default_factory=list)
    """Words and addresses; neighbours with one address are one link."""
    elements: list[tuple[str, str]] = field(default_factory=list)
    """Tags with the text in them, in the order of their ends."""
    reasons: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[tuple[str, int, str]] = []
        self._link_end = -1
        self.feed(self.html)
        self.close()
        assert self._open == []
        assert escaped(self.html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        assert set(given) <= {_ATTRIBUTES[tag]}, tag
        assert not (tag in _BLOCKS and {"p", "span", "a", "pre"} & {name for name, _, _ in self._open}), self.html
        if "data-mx-spoiler" in given:
            self.reasons.append(given["data-mx-spoiler"] or "")
        if tag in _BLOCKS | _VOID:
            self._say("\n")
        if tag not in _VOID:
            self._open.append((tag, len(self.text), given.get("href") or ""))
        assert len(self._open) < 40

    def handle_endtag(self, tag: str) -> None:
        opened, start, url = self._open.pop()
        assert opened == tag
        inner = self.text[start:]
        self.elements.append((tag, inner))
        if tag == "a":
            if self._link_end == start and self.links[-1][1] == url:
                inner = self.links.pop()[0] + inner
            self.links.append((inner, url))
            self._link_end = len(self.text)
        if tag in _BLOCKS:
            self._say("\n")

    def handle_data(self, data: str) -> None:
        self._say(data)

    def _say(self, said: str) -> None:
        self.text += said
        self.outside += " " if {"code", "pre"} & {name for name, _, _ in self._open} else said

    def all(self, *tags: str) -> list[str]:
        return [inner.strip() for tag, inner in self.elements if tag in tags]

    @property
    def spoilers(self) -> list[str]:
        return self.all("span")


def escaped(html: str) -> bool:
    """Whether every ``<`` and ``&`` in it is markup."""
    rest = re.sub(r'</?[a-z0-9]+(?: [a-z-]+(?:="[^"<>]*")?)*>', "", html)
    return not re.search(r"[<>]|&(?!(?:amp|lt|gt|#34|#39);)", rest)


# --- what a client could make of it ---


def check(written: MatrixText) -> Read:
    """Fail where a client would change the message, call somebody, hide where a link leads, or refuse its size."""
    read = Read(written.html)
    assert written.body.strip()
    assert read.text.strip()
    for said in (written.body, read.text, *read.reasons):
        _check_calls(said, (*_CALLS, *_SURE_IDS))
        assert not _UNWANTED.search(said)
    for said in (read.outside, *read.reasons):
        _check_calls(said, _IDS)
    for said, url in read.links:
        _check_link(said.replace(JOINER, ""), url)
    assert len(written.body.encode()) + len(written.html.encode()) <= 24_000
    assert canonical(written.body) + canonical(written.html) <= 24_000
    return read


def _check_calls(said: str, rules: tuple[re.Pattern[str], ...]) -> None:
    for rule in rules:
        assert not rule.search(said), (rule.pattern, said)


def _check_link(said: str, url: str) -> None:
    parts = urlsplit(url)
    assert parts.scheme in {"http", "https", "mailto"}
    assert "matrix.to" not in parts.netloc
    assert not re.search(r"#/[!#@]", unquote(url))
    assert url.isascii() or parts.scheme == "mailto"
    said = " ".join(said.split())
    host = parts.hostname or parts.path.rpartition("@")[2]
    assert honest(said, url) == said or said.endswith(f" ({host})") or said[0] in "@＠#＃", (said, url)


def canonical(value: object) -> int:
    """The bytes of a value as canonical JSON, without the quotes around a string."""
    made = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return len(made.encode()) - (2 if isinstance(value, str) else 0)


def mentions(content: object) -> Iterator[object]:
    """What each content, also one within another, says of whom it mentions."""
    if isinstance(content, Mapping):
        if "body" in content:
            yield content["m.mentions"]
        for inner in content.values():
            yield from mentions(inner)


def keys(content: Mapping[str, Any]) -> set[str]:
    return set(content)


def letters(value: str) -> str:
    """A text without white space and what nobody sees."""
    return "".join(
        char
        for char in value
        if not char.isspace() and unicodedata.category(char)[0] != "C" and char not in "\u115f\u1160\u2800\u3164\uffa0"
    )


def is_within(some: str, every: str) -> bool:
    """Whether the letters of one stand in the other, in this order."""
    rest = iter(every)
    return all(letter in rest for letter in some)


# --- posts of every kind ---

LONG = "We weave the bridge of grass anew, as every year. "
WIDE = f"{LINK}?{'&' * 150}{'x' * 100}"
HOSTILE = '@room #plaza:ayllu.example "\\<b>&amp;{0}{} https://matrix.to/#/@illa:ayllu.example '
POSTS: dict[str, Post] = {
    **MANY,
    "long alternatives": post(media=tuple(replace(VIDEO, alt=LONG * 40) for _ in range(20))),
    "media without number": post(media=tuple(replace(VIDEO, url=f"{LINK}/{n}.mp4") for n in range(500))),
    "long with a picture": post(body=text(LONG * 30), media=(PICTURE,)),
    "a long quotation": post(quote=Quote(url=LINK, author=author("Sami"), body=text(LONG * 500))),
    "endless, quotes": post(body=text('"' * 50_000)),
    "endless, backslashes": post(body=text("\\" * 50_000)),
    "endless, with a warning": post(warning="heights", body=text(*(LONG * 10 for _ in range(60)))),
    "endless, warned of as often as possible": post(
        warning=HOSTILE * 9,
        body=tuple(Block((Span(f"{n}. rope"),), Form.ITEM, depth=n % 9, bullet="•") for n in range(3000)),
    ),
    "endless, code": post(body=(Block((Span("pull --all\n" * 9000),), Form.CODE),)),
    "endless, marks": post(
        body=(
            Block(tuple(Span("x", marks=tuple(SpanStyle)[: n % 7], link=LINK if n % 2 else "") for n in range(9000))),
        )
    ),
    "deep": post(body=tuple(Block((Span("x"),), Form.ITEM, quote=n, depth=n, bullet="•") for n in range(300))),
    "too much of everything": post(
        url=f"{WIDE}1",
        author=replace(author(), name=HOSTILE * 9, handle=HOSTILE * 9, url=f"{WIDE}2"),
        title=HOSTILE * 9,
        warning=HOSTILE * 9,
        body=text(*(HOSTILE * 90 for _ in range(99))),
        media=tuple(Media(url=f"{WIDE}{n}", kind=MediaKind.VIDEO, alt=HOSTILE * 90) for n in range(300)),
        poll=replace(
            MANY["poll"].poll,  # type: ignore[type-var]  # it has one
            options=tuple(replace(MANY["poll"].poll.options[0], text=HOSTILE * 9) for _ in range(300)),  # type: ignore[union-attr]  # it has one
        ),
        quote=Quote(
            url=f"{WIDE}3",
            author=replace(author(), name=HOSTILE * 9, handle=HOSTILE * 9, url=f"{WIDE}2"),
            body=text(*(HOSTILE * 90 for _ in range(99))),
            media=(replace(VIDEO, alt=HOSTILE * 90),) * 9,
        ),
        link_card=replace(MANY["link card"].link_card, url=f"{WIDE}4", title=HOSTILE * 90),  # type: ignore[type-var]  # it has one
    ),
    "calls": post(
        author=replace(
            author(), name="@room @illa:ayllu.example", handle="#plaza:ayllu.example", url="https://matrix.to/#/@a:b"
        ),
        url="https://matrix.to/#/@illa:ayllu.example",
        title="@ROOM !plaza:ayllu.example matrix:r/plaza:ayllu.example",
        warning="@room #plaza:ayllu.example",
        body=text("@room", "https://matrix.to/#/#plaza:ayllu.example", "https://ayllu.example/@room"),
        media=(replace(VIDEO, url="https://ayllu.example/@room/@illa:x.mp4", alt="@room @illa:ayllu.example"),),
    ),
}
POSTS["too much, and no warning"] = replace(POSTS["too much of everything"], warning="")
POSTS["calls, and no warning"] = replace(POSTS["calls"], warning="")

# --- anything at all ---

_NASTY = st.sampled_from(
    (
        *("@", "@room", "@Room", "room", "@illa:ayllu.example", "@illa@ayllu.example", "#plaza:ayllu.example", "#tag"),
        *(":", "!", "#", "+", "!plaza:x", "!" + "a" * 43, "+x:y", "matrix:", "matrix:r/x:y", "matrix.to/#/@x:y"),
        *("https://matrix.to/#/#plaza:x.example", "https://chat.example/#/room/!x:y", "https://ayllu.example/@room"),
        *("<", ">", "&", "&lt;", "<b>", "</span>", '"', "'", "\\", "{", "}", "{}", "{0}", "<!--", "]]>", "mailto:"),
        *("https://", LINK, "bank.example", "ayllu.example/a…", "(", ")", "…", "illa@ayllu.example:22", "[::1]"),
        *("\n", "\n\n", " ", "\t", "\u00a0", "\u200b", JOINER, "سلام", "न", "👩‍🚀", "橋", "é", "a", "B", "7", "."),
    )
)
WORDS = st.lists(
    _NASTY | st.text(st.characters(exclude_categories=["Cs"], max_codepoint=0x2FFFF), max_size=4), max_size=6
).map("".join)
LINKS = (
    "",
    LINK,
    "https://evil.example/@room/@x:y",
    "https://matrix.to/#/@illa:ayllu.example",
    "https://chat.example/#/room/%23plaza:ayllu.example",
    "mailto:illa@ayllu.example",
    "mailto:illa@room.example",
    "https://é.example/x",
    'https://ayllu.example/"><b>&',
    "javascript:alert(1)",
)
SPANS = st.builds(
    Span,
    WORDS,
    link=st.sampled_from(LINKS),
    role=st.sampled_from(Role),
    marks=st.lists(st.sampled_from(SpanStyle), unique=True, max_size=3).map(tuple),
)
BLOCKS = st.builds(
    Block,
    st.lists(SPANS, max_size=4).map(tuple),
    form=st.sampled_from(Form),
    quote=st.integers(0, 2) | st.just(1000),
    depth=st.integers(0, 3) | st.just(1000),
    bullet=st.sampled_from(["•", "1.", "2.", "42.", "123456789.", "@room", "@x:y", ""]),
)
TEXTS: st.SearchStrategy[Text] = st.lists(BLOCKS, max_size=5).map(tuple)
