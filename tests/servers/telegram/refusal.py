"""What Telegram says no with."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


class Refusal(Exception):  # noqa: N818  # an answer, no error of ours
    """An answer with ``ok: false``; ``description`` with the words for the status before it, as Telegram has them."""

    def __init__(self, status: int, description: str, **parameters: Any) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.parameters = parameters

    @property
    def body(self) -> Json:
        told: Json = {"ok": False, "error_code": self.status, "description": self.description}
        return {**told, "parameters": self.parameters} if self.parameters else told


def bad(reason: str, **parameters: Any) -> Refusal:
    """400, as most refusals are."""
    return Refusal(400, f"Bad Request: {reason}", **parameters)


def strict(reason: str) -> Refusal:
    """400 where Telegram would let it pass or mend it: nobody should send that."""
    return bad(f"strict: {reason}")


def forbidden(reason: str) -> Refusal:
    return Refusal(403, f"Forbidden: {reason}")
