"""What platforms are shown of a page whose address is pasted there, beside what every page says of itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from relay.model import Card, Place
from relay.plugins import Preview
from relay.web.thread_view import ThreadReading


@dataclass(frozen=True, slots=True)
class Previews:
    """By the names of the adapters that bring them; ``colours`` are those of the sources' networks."""

    known: Mapping[str, Preview] = field(default_factory=dict)
    colours: Mapping[str, int] = field(default_factory=dict)

    def links(self, reading: ThreadReading) -> Iterator[tuple[str, str, str]]:
        """The links that a page has to have: relation, media type, address."""
        for name, preview in self.known.items() if reading.address else ():
            yield preview.rel, preview.kind, f"{reading.address}/preview/{name}"

    def make(self, name: str, reading: ThreadReading) -> tuple[str, str] | None:
        """The preview and its media type; None where there is no such one."""
        preview = self.known.get(name)
        text = preview.make(_card(reading), reading.say, self.colours.get(reading.first.source)) if preview else ""
        return (text, preview.kind) if preview and text else None


def _card(reading: ThreadReading) -> Card:
    count = len(reading.written)
    return Card(
        post=reading.first,
        reason=reading.site,
        thread=Place(root=reading.posts[0].uri, position=1, count=count) if count > 1 else None,
        unroll=reading.address,
    )
