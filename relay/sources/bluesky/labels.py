"""What labels mean for us: what stays on Bluesky, and what is folded. Pure.

Labels are put on posts and accounts by their authors and by moderators (com.atproto.label.defs).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from relay.sources.bluesky.shapes import Label, Raw, SelfLabels, Value, read, read_all

_HIDDEN = frozenset({"!hide", "!takedown", "!suspend"})
_VISITORS = "!no-unauthenticated"
_WARNINGS = {
    "porn": "Adult content",
    "sexual": "Sexually suggestive",
    "nudity": "Nudity",
    "graphic-media": "Graphic media",
    "gore": "Graphic media",
    "!warn": "Content warning",
}
"""In the words that Bluesky's own app has for them."""


@dataclass(frozen=True, slots=True)
class Withheld:
    """It exists, but does not leave Bluesky; the reason is for people."""

    reason: str


def read_labels(raw: Raw) -> tuple[str, ...]:
    """The labels of a view that are in force."""
    labels = read_all(raw, Label)
    taken_back = {(label.src, label.val) for label in labels if label.neg}
    return tuple(label.val for label in labels if not label.neg and (label.src, label.val) not in taken_back)


def read_self_labels(raw: Raw) -> tuple[str, ...]:
    """What the author put into the record itself."""
    labels = read(raw, SelfLabels)
    return tuple(value.val for value in read_all(labels.values, Value)) if labels else ()


def withheld(labels: Iterable[str]) -> Withheld | None:
    """Why what is labelled so is not shown to visitors; None where it may be."""
    for label in labels:
        if label == _VISITORS:
            return Withheld("its author asks that only people with an account see it")
        if label in _HIDDEN:
            return Withheld("moderators hide it")
    return None


def warning(labels: Iterable[str]) -> str:
    """What to fold it behind; empty: nothing."""
    return ", ".join(dict.fromkeys(_WARNINGS[label] for label in labels if label in _WARNINGS))
