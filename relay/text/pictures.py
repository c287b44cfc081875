"""Which picture, film or sound an element of HTML shows, also late or in several sizes; and which are none. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple
from urllib.parse import urlsplit

from relay.model import Media, MediaKind
from relay.text.addresses import safe_url
from relay.text.characters import clean

Given = Mapping[str, str | None]
"""The attributes of an element."""

MOST = 20
"""Media of one text; what is beyond is a link."""
_LATE = (
    *("data-lazy-src", "data-src", "data-original", "data-original-src", "data-full-src", "data-hi-res-src"),
    *("data-actualsrc", "data-cfsrc", "data-ezsrc", "data-lazy", "data-echo", "data-pagespeed-lazy-src"),
)
_LATE_SETS = ("data-lazy-srcset", "data-srcset", "srcset")
LATE = (*_LATE, *_LATE_SETS)
"""The attributes in which pictures stand that a script puts into their place."""
_WIDEST = 2048
"""Pixels; what is wider is no better in a chat, and often too heavy for it."""
_SMALLEST, _SYMBOL = 3, 48
"""Pixels: what is no larger counts visits, or is a symbol in the text."""
_SMALL = 600
_SET_MOST = 50
_SHORTCODE = re.compile(r":[\w+-]+:")
_TOLD_WIDTH = 16
"""What is less is no width but a density, and says nothing of how large the picture is."""
_NUMBER = re.compile(r"\s*([0-9]{1,5})(?:\.[0-9]{1,9})?(?:px)?\s*")
_STYLED = re.compile(r"(?:^|[;\s])(width|height):\s?([0-9]{1,4})px")
_SIZED = re.compile(r"-([0-9]{2,4})x([0-9]{2,4})(?=\.[a-z]{3,4}$)", re.IGNORECASE)
_ENDINGS = (
    (re.compile(r"\.(?:jpe?g|jfif|png|gif|webp|avif|bmp)$", re.IGNORECASE), MediaKind.IMAGE),
    (re.compile(r"\.(?:mp4|m4v|mov|webm|ogv)$", re.IGNORECASE), MediaKind.VIDEO),
    (re.compile(r"\.(?:mp3|m4a|m4b|ogg|oga|opus|flac|wav|aac)$", re.IGNORECASE), MediaKind.AUDIO),
)
_KINDS = {"image": MediaKind.IMAGE, "video": MediaKind.VIDEO, "audio": MediaKind.AUDIO}
_LIST = re.compile(r"\.(?:m3u8|mpd)$", re.IGNORECASE)
_LIST_TYPES = ("application/x-mpegurl", "application/vnd.apple.mpegurl", "application/dash+xml")
_COUNTS = re.compile(
    r"(?:feeds\d?\.feedburner\.com/(?:~|\w+/\w+/)|feeds\.feedblitz\.com/(?:~|_/)|(?:\w+\.)?feedsportal\.com/"
    r"|feeds\.wordpress\.com/1\.0/|(?:pixel|stats)\.(?:wp|wordpress)\.com/|feedproxy\.google\.com/~"
    r"|(?:[\w-]+\.)*doubleclick\.net/|(?:www\.)?google-analytics\.com/|pixel\.quantserve\.com/"
    r"|(?:\w+\.)?scorecardresearch\.com/|(?:[\w-]+\.)?vgwort\.de/|medium\.com/_/stat|[\w.-]+\.ivwbox\.de/"
    r"|(?:www\.)?facebook\.com/tr\b|api\.follow\.it/track|blogger\.googleusercontent\.com/tracker/"
    r"|[\w.-]{1,100}/(?:[\w/-]{1,100}/)?(?:piwik|matomo)\.php|counter\.theconversation\.com/"
    r"|[^?#]{1,500}/(?:pixel|spacer|blank|transparent|1x1|count|beacon)\.(?:gif|png)(?:[?#]|$))",
    re.IGNORECASE,
)
"""Where pictures count who reads, or hold a place."""
_SYMBOLS = ("emoji", "smiley", "smilies", "emoticon")
_FACES = ("avatar", "gravatar", "latex", "icon", "favicon", "mwe-math-fallback-image-inline")
_FACE_HOSTS = ("gravatar.com", "s.w.org", "twemoji.maxcdn.com", "img.shields.io", "badge.fury.io")
_FACE_PLACES = ("/icons/", "/icon/", "/avatars/", "/avatar/", "/badges/")


class PictureSource(NamedTuple):
    """Where something is to be had, and how large it is as far as anybody says."""

    url: str
    width: int | None = None
    height: int | None = None


def picture_of(given: Given, sources: Sequence[Given], base: str) -> PictureSource | None:
    """The largest sensible picture of an ``img`` and the ``source`` elements beside it; None where there is none."""
    width, height = _size(given, "width"), _size(given, "height")
    beside = [each for source in sources for each in _sets(source)] if sources else []
    usual = [each for source in sources if _is_usual(source) for each in _sets(source) if each[0] >= _TOLD_WIDTH]
    offered = [*_sets(given)] or usual
    best = max((each for each in offered if each[0] <= _WIDEST), default=None) or min(offered, default=None)
    addresses = [*([best[1]] if best else []), *_late(given), given.get("src") or "", *(each for _, each in beside)]
    for address in addresses:
        if (url := web(address, base)) and not is_counter(url):
            return PictureSource(url, width, height)
    return None


def _late(given: Given) -> list[str]:
    return [value for name in _LATE if (value := given.get(name)) and ("/" in value or kind_of(value))]


def _sets(given: Given) -> Iterator[tuple[int, str]]:
    """The pictures of a ``srcset`` with how wide they are, or a number that stands for their density."""
    for name in _LATE_SETS:
        if value := given.get(name):
            yield from _of_set(value)


def _of_set(value: str) -> Iterator[tuple[int, str]]:
    """HTML Standard, 4.8.4.2: addresses may hold commas, but do not end in one."""
    at, end = 0, len(value)
    for _ in range(_SET_MOST):
        while at < end and (value[at].isspace() or value[at] == ","):
            at += 1
        start = at
        while at < end and not value[at].isspace():
            at += 1
        address = value[start:at]
        described = ""
        if address.endswith(","):
            address = address.rstrip(",")
        else:
            comma = value.find(",", at)
            stop = comma if comma >= 0 else end
            described, at = value[at:stop].strip(), stop
        if not address:
            return
        yield _weight(described), address


def _weight(described: str) -> int:
    number, unit = described[:-1], described[-1:]
    if unit == "w" and number.isdecimal() and len(number) < 6:
        return int(number)
    return 2 if unit == "x" and number[:1] in "23456789" and number else 1


def _is_usual(source: Given) -> bool:
    return (source.get("type") or "").lower() not in ("image/webp", "image/avif", "image/jxl", "image/svg+xml")


def file_of(given: Given, sources: Sequence[Given], base: str) -> tuple[str, bool]:
    """The address of a film or sound, and whether it is a file that can be shown; "" where there is none."""
    offered = [given, *sources]
    found = [
        (url, (each.get("type") or "").partition(";")[0].strip().lower())
        for each in offered
        for address in (each.get("src") or "", *_late(each))
        if (url := web(address, base))
    ]
    files = [url for url, kind in found if kind not in _LIST_TYPES and not _LIST.search(urlsplit(url).path)]
    usual = [url for url in files if urlsplit(url).path.lower().endswith((".mp4", ".mp3", ".m4a"))]
    if files:
        return (usual or files)[0], True
    return (found[0][0], False) if found else ("", False)


def kind_of(url: str, told: str = "") -> MediaKind | None:
    """What a file is, by its media type or by its name; None where it may be a page."""
    path = urlsplit(url).path
    said = _KINDS.get(told.partition("/")[0].strip().lower())
    return said or next((kind for ending, kind in _ENDINGS if ending.search(path)), None)


def web(address: str, base: str) -> str:
    """An absolute http(s) address, or nothing."""
    url = safe_url(address, base=base) if address.strip() else ""
    return url if url.startswith("http") else ""


def frame_of(given: Given, base: str) -> str:
    """Where a frame leads to, also one that is filled later."""
    return next((url for address in (given.get("src") or "", *_late(given)) if (url := web(address, base))), "")


# --- what is no picture ---


def is_counter(url: str) -> bool:
    """Whether it only counts who reads, or holds a place."""
    return _COUNTS.match(url.partition("//")[2]) is not None


def is_pixel(given: Given) -> bool:
    sides = [side for name in ("width", "height") if (side := _size(given, name)) is not None]
    return bool(sides) and min(sides) < _SMALLEST


def is_emoji(alt: str, classes: Iterable[str], url: str) -> bool:
    """Whether it is a character in a line, and its description that character."""
    if _SHORTCODE.fullmatch(alt.strip()) or any(symbol in name for name in classes for symbol in _SYMBOLS):
        return True
    return bool(alt) and len(alt) <= 12 and not alt.isascii() and any(f"/{name}" in url for name in _SYMBOLS)


def is_symbol(given: Given, url: str) -> bool:
    """Whether it is a small thing in the text: an icon, a face, a formula."""
    classes = (given.get("class") or "").lower().split()
    sides = [_size(given, name) for name in ("width", "height")]
    small = all(side is not None and side <= _SYMBOL for side in sides)
    parts = urlsplit(url)
    face = (parts.hostname or "").endswith(_FACE_HOSTS) or any(place in parts.path for place in _FACE_PLACES)
    named = any(name in _FACES or name.startswith("avatar-") or name.endswith(("-icon", "-avatar")) for name in classes)
    return small or face or named


def _size(given: Given, side: str) -> int | None:
    """In pixels, by the attribute or by the style."""
    if match := _NUMBER.fullmatch(given.get(side) or ""):
        return int(match[1])
    style = (given.get("style") or "")[:1_000].lower()
    found = dict(_STYLED.findall(style)) if side in style else {}
    return int(found[side]) if side in found else None


# --- which are the same ---


def same_picture(url: str) -> str:
    """What the addresses of one picture in several sizes have in common."""
    parts = urlsplit(url)
    host, path = (parts.hostname or "").removeprefix("www."), parts.path
    if host in ("i0.wp.com", "i1.wp.com", "i2.wp.com", "i3.wp.com"):
        host, _, path = path.lstrip("/").partition("/")
        path = f"/{path}"
    if not _ENDINGS[0][0].search(path):
        return f"{host}{path}?{parts.query}"
    return f"{host}{_SIZED.sub('', path).replace('-scaled.', '.')}"


def full_size(shown: PictureSource, link: str) -> str:
    """The picture that a shown one links to, where it is the better one; else "".

    A small picture is only the way to the large one; a large one need not be exchanged for the photographer's file.
    """
    if kind_of(link) is not MediaKind.IMAGE:
        return ""
    sized = _SIZED.search(urlsplit(shown.url).path)
    width = int(sized[1]) if sized else shown.width
    if same_picture(shown.url) == same_picture(link) and width and width >= _SMALL:
        return shown.url
    return link


def with_shown(own: Sequence[Media], shown: Iterable[Media]) -> tuple[Media, ...]:
    """What a text shows behind the files beside it, each once."""
    media = {same_picture(each.url): each for each in own}
    for each in shown:
        key = same_picture(each.url)
        media[key] = better(known, each) if (known := media.get(key)) else each
    return tuple(media.values())


def better(known: Media, other: Media) -> Media:
    """One of two pictures that are the same: the larger one, with the words of both."""
    sized = _SIZED.search(urlsplit(known.url).path) and not _SIZED.search(urlsplit(other.url).path)
    first, second = (other, known) if sized else (known, other)
    return replace(first, alt=first.alt or second.alt, preview=first.preview or second.preview)


def words_of(given: Given) -> tuple[str, str]:
    """The description of a picture, and what is read when a pointer rests on it, if that is more."""
    alt = clean(given.get("alt") or given.get("aria-label") or "", limit=1500)
    title = clean(given.get("title") or "", limit=1500)
    if not title or title.casefold() in alt.casefold() or (title.isascii() and " " not in title):
        return alt, ""
    return (alt, title) if alt else (title, "")
