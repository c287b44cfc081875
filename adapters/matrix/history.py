"""Which parts of a delivery stand in a room already, by the mark that each of our messages bears. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from adapters.matrix.api import Json
from adapters.matrix.content import DELIVERY


def found(events: Iterable[Json], user: str, delivery: str) -> dict[int, str]:
    """The event of each part, by its number. What others wrote, or what was taken back, bears no mark of ours."""
    parts: dict[int, str] = {}
    for event in events:
        content = event.get("content")
        mark = content.get(DELIVERY) if isinstance(content, dict) and event.get("sender") == user else None
        name, _, number = mark.rpartition("-") if isinstance(mark, str) else ("", "", "")
        if name == delivery and number.isascii() and number.isdigit() and len(number) < 4:
            parts[int(number)] = str(event.get("event_id", ""))
    return {number: event for number, event in parts.items() if event}
