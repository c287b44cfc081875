"""What several tests share with those of feed discovery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


def many(pattern: str, length: int = 3_000_000) -> bytes:
    """The pattern again and again, each time with another number in it."""
    if "{" not in pattern:
        return (pattern * -(-length // len(pattern))).encode()
    pieces: list[str] = []
    while length > 0:
        pieces.append(pattern.format(len(pieces)))
        length -= len(pieces[-1])
    return "".join(pieces).encode()


@dataclass(frozen=True)
class Hostile:
    """A page of one pattern; only who reads it makes it, for it is large."""

    pattern: str
    before: bytes = b""
    length: int = 3_000_000

    @property
    def page(self) -> bytes:
        return self.before + many(self.pattern, self.length)


HOSTILE: Sequence[Hostile] = (
    Hostile("\ufeff", length=500_000),
    Hostile("<link "),
    Hostile("<div>"),
    Hostile("<link rel=feed href=/{0}>"),
    Hostile("<link rel=feed href=/{0} title='comment"),
    Hostile("<a href=/feed>x"),
    Hostile("<a href=https://other.example/{0}/feed>x"),
    Hostile("<base href=/{0}>"),
    Hostile("<meta http-equiv=refresh content='0;url=/{0}'>"),
    Hostile("<noscript><meta http-equiv=refresh content='{0} '>"),
    Hostile("<select><option>"),
    Hostile("<b><p>"),
    Hostile("<table>x"),
    Hostile("<html a{0}>"),
    Hostile("<template>"),
    Hostile("<!--"),
    Hostile("<!-- <link"),
    Hostile("<script>"),
    Hostile("<"),
    Hostile("&amp"),
    Hostile("\xff"),
    Hostile("a{0} ", b"<x "),
    Hostile("a{0}='>' ", b"<x "),
    Hostile("a{0}='<' ", b"<x "),
    Hostile('a{0}="\'<>" ', b"<x "),
    Hostile("a{0}/", b"<x "),
    Hostile("a<a{0} ", b"<x a='"),
)
