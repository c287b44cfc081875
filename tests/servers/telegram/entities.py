"""Entities of a text: what Telegram takes, and what it finds by itself. Offsets are in UTF-16 code units."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import combinations
from typing import Any
from urllib.parse import urlsplit

from tests.servers.telegram.refusal import Json, bad, strict

_STYLES = frozenset({"bold", "italic", "underline", "strikethrough", "spoiler"})
_QUOTES = frozenset({"blockquote", "expandable_blockquote"})
_MONO = frozenset({"code", "pre"})
_FOUND = frozenset({"mention", "hashtag", "cashtag", "bot_command", "url", "email", "phone_number"})
_OWN_FIELDS = {
    "text_link": {"url"},
    "text_mention": {"user"},
    "pre": {"language"},
    "custom_emoji": {"custom_emoji_id"},
    "date_time": {"unix_time", "date_time_format"},
}
_KINDS = _STYLES | _QUOTES | _MONO | _FOUND | frozenset(_OWN_FIELDS)
_SCHEMES = frozenset({"http", "https", "tg", "ton"})
MOST = 100

_FINDERS = (
    ("url", re.compile(r"(?:https?|tg)://[^\s<>\"]*[^\s<>\".,;:!?)\]}'…]", re.IGNORECASE)),
    ("email", re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+")),
    (
        "url",
        re.compile(
            r"(?<![\w@.-])(?:[a-z0-9-]+\.)+(?:com|org|net|social|example|app|dev|pe|io|eu)(?![\w-])(?:/\S*)?",
            re.IGNORECASE,
        ),
    ),
    ("mention", re.compile(r"(?<!\w)@[A-Za-z0-9_]{4,32}(?!\w)")),
    ("hashtag", re.compile(r"(?<![\w#])#(?=\w*[^\W\d_])\w{1,256}")),
    ("cashtag", re.compile(r"(?<![\w$])\$[A-Z]{3,8}(?!\w)")),
    ("bot_command", re.compile(r"(?<![\w/<>])/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32})?(?![\w/])")),
)


def units(text: str) -> int:
    """How long Telegram finds it."""
    return len(text.encode("utf-16-le")) // 2


def part(text: str, entity: Json) -> str:
    """The characters under an entity."""
    raw = text.encode("utf-16-le")
    return raw[entity["offset"] * 2 : (entity["offset"] + entity["length"]) * 2].decode("utf-16-le")


def checked(text: str, given: Any) -> list[Json]:
    """The entities that a client sent, where they are as Telegram documents them."""
    if given is None:
        return []
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise bad("can't parse entities: expected an Array of MessageEntity")
    if len(given) > MOST:
        raise strict(f"{len(given)} entities, only {MOST} are shown")
    for entity in given:
        _check_one(text, entity)
    _check_nesting(given)
    return sorted(given, key=lambda one: (one["offset"], -one["length"]))


def _check_one(text: str, entity: Json) -> None:
    kind = entity.get("type")
    if kind not in _KINDS:
        raise bad(f"can't parse entities: unsupported type {kind!r} of an entity")
    allowed = {"type", "offset", "length"} | _OWN_FIELDS.get(str(kind), set())
    strange = sorted(set(entity) - allowed)
    if strange:
        raise strict(f"entity {kind} has no {strange}")
    _check_place(text, entity)
    if kind == "text_link":
        check_link(entity.get("url"))


def _check_place(text: str, entity: Json) -> None:
    offset, length = entity.get("offset"), entity.get("length")
    if not isinstance(offset, int) or not isinstance(length, int) or offset < 0:
        raise bad("can't parse entities: an entity needs an offset and a length")
    if length <= 0:
        raise strict(f"entity {entity['type']} of length {length}")
    if offset + length > units(text):
        raise strict(f"entity {entity['type']} ends at {offset + length}, the text at {units(text)}")
    try:
        text.encode("utf-16-le")[: offset * 2].decode("utf-16-le")
        part(text, entity)
    except UnicodeDecodeError:
        raise bad("entity begins or ends in a middle of a UTF-16 symbol") from None


def check_link(url: Any) -> None:
    """Only addresses that Telegram makes a link of."""
    told = urlsplit(url) if isinstance(url, str) and len(url) <= 2048 and not re.search(r"\s", url) else None
    if told is None or told.scheme.lower() not in _SCHEMES or not told.netloc:
        raise strict(f"entity text_link to {str(url)[:80]!r}: Telegram drops it")


def _check_nesting(entities: Iterable[Json]) -> None:
    for one, other in combinations(sorted(entities, key=lambda it: (it["offset"], -it["length"])), 2):
        ends = one["offset"] + one["length"], other["offset"] + other["length"]
        if other["offset"] >= ends[0]:
            continue
        if ends[1] > ends[0]:
            raise strict(f"entities {one['type']} and {other['type']} overlap without nesting")
        same = (one["offset"], ends[0]) == (other["offset"], ends[1])
        if not _may_hold(one["type"], other["type"]) and not (same and _may_hold(other["type"], one["type"])):
            raise strict(f"entity {one['type']} cannot hold {other['type']}")


def _may_hold(outer: str, inner: str) -> bool:
    if outer in _MONO or (outer == inner) or (outer in _QUOTES and inner in _QUOTES):
        return False
    if inner in _MONO:
        return outer in _QUOTES
    return outer in _STYLES or outer in _QUOTES or inner in _STYLES


def detected(text: str, entities: list[Json]) -> list[Json]:
    """These and what Telegram finds by itself: links, mentions, hashtags, commands."""
    solid = [one for one in entities if one["type"] not in _STYLES and one["type"] not in _QUOTES]
    found: list[Json] = []
    for kind, shape in _FINDERS:
        for match in shape.finditer(text):
            made = {"type": kind, "offset": units(text[: match.start()]), "length": units(match.group())}
            if not any(_meet(made, one) for one in [*solid, *found]):
                found.append(made)
    return sorted([*entities, *found], key=lambda one: (one["offset"], -one["length"]))


def _meet(one: Json, other: Json) -> bool:
    return bool(one["offset"] < other["offset"] + other["length"] and other["offset"] < one["offset"] + one["length"])
