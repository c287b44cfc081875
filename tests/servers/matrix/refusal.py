"""What a homeserver says no with."""

from __future__ import annotations

import math
from typing import Any, Literal

Json = dict[str, Any]
Told = Literal["both", "header", "body"]


class Refusal(Exception):  # noqa: N818  # an answer, no error of ours
    """A standard error response: a status, an ``errcode`` and words for people."""

    def __init__(self, status: int, errcode: str, error: str, **more: Any) -> None:
        super().__init__(f"{status} {errcode}: {error}")
        self.status = status
        self.body: Json = {"errcode": errcode, "error": error, **more}
        self.headers: dict[str, str] = {}


def bad(error: str, errcode: str = "M_UNKNOWN") -> Refusal:
    """400, as most refusals are."""
    return Refusal(400, errcode, error)


def forbidden(error: str) -> Refusal:
    return Refusal(403, "M_FORBIDDEN", error)


def missing(error: str = "Event not found.") -> Refusal:
    return Refusal(404, "M_NOT_FOUND", error)


def too_large(error: str) -> Refusal:
    return Refusal(413, "M_TOO_LARGE", error)


def limited(seconds: float, told: Told = "both") -> Refusal:
    """429: the header in whole seconds, the body in milliseconds, as Synapse; or only one of them."""
    made = Refusal(429, "M_LIMIT_EXCEEDED", "Too Many Requests")
    if told != "header":
        made.body["retry_after_ms"] = math.ceil(seconds * 1000)
    if told != "body":
        made.headers["Retry-After"] = str(math.ceil(seconds))
    return made
