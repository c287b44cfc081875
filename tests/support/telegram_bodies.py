"""Calls of the Bot API: what readers see of them, and whether Telegram would take them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from hypothesis import strategies as st

from adapters.telegram.card import CardMessage
from adapters.telegram.entities import JOINER, Entity, EntityText
from adapters.telegram.style import TelegramStyle
from relay.i18n import words
from relay.model import Media, MediaKind, Post, Quote
from relay.rich import Block, Form, Role, Span, SpanStyle, Text
from relay.testing import author, post, text
from tests.support.discord_bodies import LINK, PICTURE, VIDEO
from tests.support.discord_bodies import POSTS as MANY

LOOK = TelegramStyle(words("en"), "Chaski Wasi")
_QUOTES, _CODES = {"blockquote", "expandable_blockquote"}, {"code", "pre"}
_FORMED = (
    re.compile(r"(?<![A-Za-z0-9_])@\w"),
    re.compile(r"(?<![A-Za-z0-9_/<>])/\w"),
    re.compile(r"\$[A-Z]"),
    re.compile(r"[#$]\w+@\w"),
    re.compile(r"(?<![\w~-])(?:t|telegram)\.(?:me|dog)\b|(?:tg|ton)://", re.IGNORECASE),
)
"""What Telegram makes of a text by itself, but for hashtags and addresses: wider than its own rules."""
_METHODS = {"sendPhoto": "photo", "sendVideo": "video", "sendAnimation": "animation"}
_METHODS |= {"sendAudio": "audio", "sendDocument": "document"}


def units(value: str) -> int:
    return len(value.encode("utf-16-le")) // 2


def of(written: EntityText, entity: Entity) -> str:
    """The text of an entity."""
    raw = written.text.encode("utf-16-le")
    return raw[2 * entity.offset : 2 * (entity.offset + entity.length)].decode("utf-16-le")


def all_of(written: EntityText, *kinds: str) -> list[str]:
    return [of(written, one) for one in written.entities if one.kind in kinds]


def links(written: EntityText) -> list[tuple[str, str]]:
    return [(of(written, one), one.url) for one in written.entities if one.kind == "text_link"]


def letters(value: str) -> str:
    """A text without white space and what nobody sees."""
    return re.sub(r"[\s\u2060\u2068\u2069]+", "", value)


# --- what Telegram takes ---


def check(parts: Iterable[CardMessage]) -> None:
    """Fail where Telegram would refuse a call, change what was said, or call somebody."""
    for part in parts:
        check_words(part.words, 4096 if part.method == "sendMessage" else 1024)
        _check_media(part)
        _check_buttons(part)
        assert part.method == "sendMessage" or not part.preview
        assert not part.preview or urlsplit(part.preview).scheme in {"http", "https"}


def check_words(written: EntityText, limit: int, *, commands: bool = False) -> None:
    assert units(written.text) <= limit
    assert written.text == written.text.strip()
    assert len(written.entities) <= 100
    for one in written.entities:
        inner = of(written, one)
        assert one.length > 0
        assert inner == inner.strip()
        assert one.offset + one.length <= units(written.text)
        assert (one.kind == "text_link") == (urlsplit(one.url).scheme in {"http", "https"})
        assert one.url.isascii()
    _check_nesting(written.entities)
    _check_calls(written, _FORMED[:1] + _FORMED[2:] if commands else _FORMED)


def _check_nesting(entities: Iterable[Entity]) -> None:
    around: list[Entity] = []
    for one in entities:
        while around and around[-1].offset + around[-1].length <= one.offset:
            around.pop()
        assert not around or one.offset + one.length <= around[-1].offset + around[-1].length, "overlapping"
        outer = {each.kind for each in around}
        assert one.kind not in outer
        assert not outer & _CODES
        assert one.kind not in _CODES or outer <= _QUOTES
        assert one.kind not in _QUOTES or not outer & _QUOTES
        around.append(one)


def _check_calls(written: EntityText, rules: Iterable[re.Pattern[str]]) -> None:
    closed = [(one.offset, one.offset + one.length) for one in written.entities if one.kind in _CODES | {"text_link"}]
    for rule in rules:
        for found in rule.finditer(written.text):
            start, end = (units(written.text[:edge]) for edge in found.span())
            assert any(left < end and start < right for left, right in closed), found  # what we marked goes first


def _check_media(part: CardMessage) -> None:
    if part.method == "sendMessage":
        assert not part.media
        assert part.words.text
        return
    kinds = {item.kind for item in part.media}
    if part.method == "sendMediaGroup":
        assert 2 <= len(part.media) <= 10
        assert not part.buttons
        assert kinds <= {"photo", "video"} or kinds in ({"audio"}, {"document"})
    else:
        assert [item.kind for item in part.media] == [_METHODS[part.method]]
    assert all(urlsplit(item.url).scheme in {"http", "https"} for item in part.media)
    assert not any(item.spoiler for item in part.media if item.kind in {"audio", "document"})


def _check_buttons(part: CardMessage) -> None:
    for row in part.buttons:
        assert 1 <= len(row) <= 8
        assert all(one.label.strip() and urlsplit(one.url).scheme in {"http", "https"} for one in row)


# --- the schema of the Bot API ---


class Schema:
    """The Bot API's own description of its calls."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._types = document["types"]
        self._methods = document["methods"]

    def faults(self, method: str, body: Mapping[str, Any]) -> list[str]:
        """What is wrong with the parameters of a call."""
        return list(self._record(method, self._methods[method]["fields"], body))

    def _record(self, at: str, fields: Iterable[Mapping[str, Any]], body: Mapping[str, Any]) -> Iterable[str]:
        known = {field["name"]: field for field in fields}
        yield from (f"{at}.{name} is unknown" for name in body if name not in known)
        yield from (f"{at}.{name} is missing" for name in known if known[name]["required"] and name not in body)
        for name, value in body.items():
            wanted = known[name]["types"] if name in known else ()
            found = [list(self._value(f"{at}.{name}", kind, value)) for kind in wanted]
            if found and all(found):
                yield from min(found, key=len)

    def _value(self, at: str, kind: str, value: object) -> Iterable[str]:
        if kind.startswith("Array of ") and isinstance(value, list):
            for index, one in enumerate(value):
                yield from self._value(f"{at}[{index}]", self._of_kind(kind.removeprefix("Array of "), one), one)
        elif kind in self._types and isinstance(value, Mapping):
            yield from self._record(at, self._types[kind].get("fields", ()), value)
        elif not isinstance(value, {"String": str, "Integer": int, "Boolean": bool}.get(kind, EntityText)):
            yield f"{at} is no {kind}"

    def _of_kind(self, kind: str, value: Any) -> str:
        """An item of an album is judged by the type that it says it has."""
        return f"InputMedia{value['type'].title()}" if kind.startswith("InputMedia") else kind


# --- posts of every kind ---

LONG = "We weave the bridge of grass anew, as every year. "
POSTS: dict[str, Post] = {
    **MANY,
    "one animation": post(media=(Media(url=f"{LINK}.mp4", kind=MediaKind.ANIMATION, alt="It sways"),)),
    "one sound": post(media=(Media(url=f"{LINK}.mp3", kind=MediaKind.AUDIO, alt="He sings"),)),
    "sounds": post(media=tuple(Media(url=f"{LINK}{n}.mp3", kind=MediaKind.AUDIO) for n in range(3))),
    "a file": post(media=(Media(url=f"{LINK}.pdf", kind=MediaKind.FILE, alt="The count"),)),
    "a file that is not fetched": post(media=(Media(url=f"{LINK}.docx", kind=MediaKind.FILE, alt="The count"),)),
    "a drawing": post(media=(Media(url=f"{LINK}.svg", kind=MediaKind.IMAGE, preview=PICTURE.url),)),
    "an album": post(media=(PICTURE, replace(VIDEO, alt=""), replace(PICTURE, url=f"{LINK}.png"))),
    "a warned album": post(warning="heights", media=(PICTURE, VIDEO)),
    "hidden sounds": post(sensitive=True, media=(Media(url=f"{LINK}.mp3", kind=MediaKind.AUDIO, alt="He sings"),)),
    "long with a picture": post(body=text(LONG * 30), media=(PICTURE,)),
    "long alternatives": post(media=tuple(replace(PICTURE, alt=LONG * 20) for _ in range(4))),
    "East Asian": post(body=text("長崎から読んでいます。草で編んだ橋が、毎年新しく生まれる。"), media=(PICTURE,)),
    "emoji": post(body=text("👩‍🚀🧵👨‍👩‍👧‍👦 **"), media=(PICTURE,)),
    "a long quotation": post(quote=Quote(url=LINK, author=author("Sami"), body=text(LONG * 10))),
    "links without number": post(
        body=(Block(tuple(Span(f"@name{n} ", f"{LINK}/{n}", Role.MENTION) for n in range(150))),)
    ),
    "calls": post(
        author=replace(author(), name="@durov /start $USD t.me/x", handle="@durov", url=""),
        title="/start @durov tg://resolve?domain=x",
        warning="@durov",
        body=text("@durov /start@bot $TON https://t.me/joinchat/x name.t.me #tag@durov", "/stop", "@a@b.example"),
        media=(replace(PICTURE, alt="@durov /start"),),
    ),
}

# --- anything at all ---

_NASTY = st.sampled_from(
    (
        *("@", "@durov", "@illa@ayllu.example", "/", "/start", "/start@bot", "$", "$USD", "#", "#tag", "#नमस्ते"),
        *("t.me/x", "T.me", "name.t.me", "telegram.me/x", "tg://", "tg:", "//", "https://t.me/x", "https://", LINK),
        *("bank.example", "https://localhost/@name", "sami@ayllu.example", "_", "-", ".", "…", "(", "é", "e\u0301"),
        *("\n", "\n\n", " ", "\u00a0", "\u200b", JOINER, "سلام", "न", "👩‍🚀", "☀️", "橋", "a", "B", "7"),
    )
)
WORDS = st.lists(
    _NASTY | st.text(st.characters(exclude_categories=["Cc", "Cs"], max_codepoint=0x2FFFF), max_size=4), max_size=6
).map("".join)
LINKS = ("", LINK, "https://evil.example/@x", "https://t.me/x", "mailto:illa@ayllu.example", "https://é.example/x")
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
    quote=st.integers(0, 2),
    depth=st.integers(0, 3) | st.just(1000),
    bullet=st.sampled_from(["•", "1.", "42.", "123456789.", "@x"]),
)
TEXTS: st.SearchStrategy[Text] = st.lists(BLOCKS, max_size=5).map(tuple)
