"""Which of an entry's files are shown: of one picture or film in several forms, the one that serves best. Pure.

What stands in one ``media:group`` is one thing (Media RSS 1.5.1, "media:group"), so of each kind in it one is taken:
what the publisher calls the default, else the largest that platforms take. Pictures of one and the same size are no
forms of each other, and all are shown. A picture beside a film or a sound is its preview.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

HEAVY = 20_000_000
"""Bytes; what is larger, platforms do not fetch by its address."""
WIDE = 5_000
"""Pixels, likewise."""
_ENDINGS = {
    "image": re.compile(r"\.(?:jpe?g|png|gif|webp|avif|heic)(?:$|\?)", re.IGNORECASE),
    "video": re.compile(r"\.(?:mp4|m4v|mov|webm|mkv|m3u8|mpd)(?:$|\?)", re.IGNORECASE),
    "audio": re.compile(r"\.(?:mp3|m4a|ogg|opus|flac|wav)(?:$|\?)", re.IGNORECASE),
}
_PLAYLISTS = re.compile(r"mpegurl|dash\+xml|\.(?:m3u8|mpd)(?:$|\?)", re.IGNORECASE)

_Attributes = Mapping[str, Any]


def kind_of(medium: _Attributes) -> str:
    """image, video, audio; another word that the publisher has for it; or nothing."""
    said = str(medium.get("type") or "").partition("/")[0].lower()
    medium_said = str(medium.get("medium") or "").lower()
    for word in (said, medium_said):
        if word in _ENDINGS:
            return word
    url = str(medium.get("url") or "")
    return next((kind for kind, ending in _ENDINGS.items() if ending.search(url)), medium_said or said)


def chosen(media: Sequence[_Attributes]) -> Iterator[tuple[_Attributes, str]]:
    """Those to show, in the order of the document, each with the address of its preview or nothing."""
    for group, members in groupby(media, key=lambda medium: medium.get("group") or 0):
        if group:
            yield from _of_group([medium for medium in members if medium.get("url")])
        else:
            yield from ((medium, "") for medium in members)


def _of_group(members: Sequence[_Attributes]) -> Iterator[tuple[_Attributes, str]]:
    kinds = dict[str, list[_Attributes]]()
    for medium in members:
        kinds.setdefault(kind_of(medium), []).append(medium)
    pictures = kinds.get("image", [])
    playing = [medium for kind in ("video", "audio") for medium in kinds.get(kind, [])]
    if playing:
        still = _best(pictures)["url"] if pictures else ""
        yield from ((_best(forms), still) for kind, forms in kinds.items() if kind != "image")
    else:
        for kind, forms in kinds.items():
            several = forms if kind == "image" and _are_different(forms) else [_best(forms)]
            yield from ((medium, "") for medium in several)


def _are_different(pictures: Sequence[_Attributes]) -> bool:
    sizes = [(number(picture, "width"), number(picture, "height")) for picture in pictures]
    return len(set(sizes)) == 1 and all(sizes[0])


def _best(forms: Sequence[_Attributes]) -> _Attributes:
    """The default, else the largest that is not too large, else the smallest; a list of pieces only where all are."""

    def rank(form: _Attributes) -> tuple[bool, bool, bool, bool, int, int]:
        weight, width, height = number(form, "filesize"), number(form, "width"), number(form, "height")
        fits = weight <= HEAVY and max(width, height) <= WIDE
        size, flow = (width * max(height, 1), number(form, "bitrate") or weight)
        return (
            not _PLAYLISTS.search(f"{form.get('type')} {form.get('url')}"),
            fits,
            str(form.get("isdefault")).lower() == "true",
            str(form.get("expression") or "full").lower() == "full",
            size if fits else -size,
            flow if fits else -flow,
        )

    return max(forms, key=rank)


def widest(pictures: Sequence[_Attributes]) -> str:
    """The address of the largest of some pictures, the first where they do not say."""
    named = [picture for picture in pictures if picture.get("url")]
    return str(max(named, key=lambda picture: number(picture, "width"))["url"]) if named else ""


def number(medium: _Attributes, key: str) -> int:
    """What an attribute counts, 0 where it says nothing or nonsense; some write "640px" and "640.0"."""
    found = re.match(r"\s*([0-9]{1,12})(?:\.[0-9]*)?(?:px)?\s*$", str(medium.get(key) or ""))
    return int(found[1]) if found else 0
