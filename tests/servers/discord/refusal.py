"""How Discord says no, and the checks of form that everything shares."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

Json = dict[str, Any]


@dataclass
class Refusal(Exception):  # noqa: N818  # it is Discord that refuses, nothing of ours failed
    """An answer that is not 2xx."""

    status: int
    code: int
    message: str
    errors: Json = field(default_factory=dict)

    @property
    def body(self) -> Json:
        told: Json = {"message": self.message, "code": self.code}
        return {**told, "errors": self.errors} if self.errors else told


def invalid(where: str, reason: str, code: str = "BASE_TYPE_BAD_LENGTH") -> Refusal:
    """50035, with the field's path as Discord nests it."""
    errors: Json = {"_errors": [{"code": code, "message": reason}]}
    for part in reversed(where.split(".")):
        errors = {part: errors}
    return Refusal(400, 50035, "Invalid Form Body", errors)


def check_length(value: Any, where: str, low: int, high: int) -> None:
    if not isinstance(value, str):
        raise invalid(where, "Could not interpret as string.", "STRING_TYPE_CONVERT")
    if not low <= len(value.strip() if low else value) <= high:
        raise invalid(where, f"Must be between {low} and {high} in length.")


def check_url(value: Any, where: str, longest: int = 2048, schemes: Iterable[str] = ("http", "https")) -> None:
    check_length(value, where, 1, longest)
    address = urlsplit(value)
    if address.scheme not in schemes or not (address.netloc or address.path):
        raise invalid(where, "Not a well formed URL.", "URL_TYPE_INVALID_URL")
