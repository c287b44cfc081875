"""The ``HeaderLink`` header (RFC 8288). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_LONGEST = 10_000
_VALUE = r'(?:"(?:[^"\\]|\\.){0,500}"|[^\s",;]{1,500})'
_LINK = re.compile(rf"<([^<>]{{1,2000}})>((?:\s{{0,9}};\s{{0,9}}[\w*-]{{1,40}}(?:\s?=\s?{_VALUE})?)*)")
_PARAMETER = re.compile(rf";\s{{0,9}}([\w*-]{{1,40}})\s?=\s?({_VALUE})")


class HeaderLink(NamedTuple):
    target: str
    """As it is written: it may be relative to the address of the answer."""
    parameters: dict[str, str]
    """By their names in small letters, the first of each name."""

    @property
    def relations(self) -> list[str]:
        return self.parameters.get("rel", "").lower().split()


def links(header: str) -> Iterator[HeaderLink]:
    """What is written as it should be, of the first 10,000 characters."""
    for target, rest in _LINK.findall(header[:_LONGEST]):
        pairs = [(name.lower(), value.strip('"')) for name, value in _PARAMETER.findall(rest)]
        yield HeaderLink(target.strip(), dict(reversed(pairs)))
