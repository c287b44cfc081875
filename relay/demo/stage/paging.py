"""How the stage cuts timelines into pages. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf

from relay.demo.stage.entities import Status

PAGE = 20


def cut_page(statuses: Sequence[Status], query: Mapping[str, str]) -> list[Status]:
    """One page, newest first, of posts that are given oldest first (docs.joinmastodon.org/api/guidelines, pagination).

    ``min_id`` takes the page just above it, so that walking up leaves no gap; ``since_id`` the newest page above it.
    """
    limit = min(to_number(query.get("limit", str(PAGE))), 2 * PAGE)
    low = to_number(query.get("min_id") or query.get("since_id", ""))
    high = to_number(query.get("max_id", "")) or inf
    inside = [status for status in reversed(statuses) if low < status.id < high]
    first = max(len(inside) - limit, 0) if query.get("min_id") else 0
    return inside[first : first + limit]


def to_number(text: str) -> int:
    """An id or a limit; 0 of what is none."""
    return int(text) if text.isascii() and text.isdigit() else 0
