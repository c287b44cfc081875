"""What several tests share with those of feed discovery."""

from __future__ import annotations

from collections.abc import Sequence


def many(pattern: str, length: int = 3_000_000) -> bytes:
    """The pattern again and again, each time with another number in it."""
    pieces: list[str] = []
    while length > 0:
        pieces.append(pattern.format(len(pieces)))
        length -= len(pieces[-1])
    return "".join(pieces).encode()


HOSTILE: Sequence[bytes] = (
    "\ufeff".encode() * 500_000,
    many("<link "),
    many("<div>"),
    many("<link rel=feed href=/{0}>"),
    many("<link rel=feed href=/{0} title='comment"),
    many("<a href=/feed>x"),
    many("<a href=https://other.example/{0}/feed>x"),
    many("<base href=/{0}>"),
    many("<meta http-equiv=refresh content='0;url=/{0}'>"),
    many("<noscript><meta http-equiv=refresh content='{0} '>"),
    many("<select><option>"),
    many("<b><p>"),
    many("<table>x"),
    many("<html a{0}>"),
    many("<template>"),
    many("<!--"),
    many("<!-- <link"),
    many("<script>"),
    many("<"),
    many("&amp"),
    many("\xff"),
    b"<x " + many("a{0} "),
    b"<x " + many("a{0}='>' "),
    b"<x " + many("a{0}='<' "),
    b"<x " + many('a{0}="\'<>" '),
    b"<x " + many("a{0}/"),
    b"<x a='" + many("a<a{0} "),
)
