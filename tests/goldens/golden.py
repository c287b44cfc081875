"""Comparing with a file, and writing it anew where that is wanted."""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

FILES = Path(__file__).parent / "files"
_WRITE = os.environ.get("RELAY_GOLDENS") == "write"
MOST = 60
"""Lines of a difference that are shown."""


def same(name: str, shown: str) -> None:
    """Fail where ``shown`` is not what the file of that name holds."""
    file = FILES / name
    if _WRITE:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(shown, encoding="utf-8")
    held = file.read_text(encoding="utf-8") if file.exists() else ""
    if held != shown:
        lines = difflib.unified_diff(held.splitlines(), shown.splitlines(), "before", "now", lineterm="", n=2)
        told = "\n".join([*lines][:MOST])
        raise AssertionError(f"tests/goldens/files/{name} differs:\n{told}")


def sections(found: Iterable[tuple[str, str]]) -> str:
    """One text of many, each below its title."""
    return "".join(f"=== {title}\n{body.rstrip()}\n\n" for title, body in found)


def as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True)


class Names:
    """Ids that differ from run to run, by names that do not: in the order in which they are met."""

    def __init__(self, *patterns: str) -> None:
        self._pattern = re.compile("|".join(f"({one})" for one in patterns))
        self._known: dict[str, str] = {}

    def settle(self, shown: str) -> str:
        return self._pattern.sub(lambda found: self._known.setdefault(found[0], f"«{len(self._known) + 1}»"), shown)
