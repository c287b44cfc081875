"""What Matrix's messages are called in the store: ``text !room $event``, and ``picture …`` for each of its pictures."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from relay.model import MessageId

Kind = Literal["text", "picture"]
_WRITTEN = re.compile(r"(text|picture) (!\S{1,254}) (\$\S{1,254})")


@dataclass(frozen=True, slots=True)
class Posted:
    """A message of ours."""

    kind: Kind
    room: str
    event: str

    @classmethod
    def parse(cls, text: MessageId) -> Posted | None:
        """None: no message of ours."""
        found = _WRITTEN.fullmatch(text)
        if found is None:
            return None
        kind: Kind = found[1]  # type: ignore[assignment]  # the pattern has the kinds only
        return cls(kind, found[2], found[3])

    @property
    def id(self) -> MessageId:
        return MessageId(f"{self.kind} {self.room} {self.event}")


def all_of(messages: Iterable[MessageId]) -> tuple[Posted, ...]:
    """Those that are ours to read, in their order."""
    return tuple(found for one in messages if (found := Posted.parse(one)))
