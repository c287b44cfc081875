"""What Telegram's messages are called in the store: ``text/CHAT/MESSAGE``; of an album each message has its own."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from relay.model import MessageId

Kind = Literal["text", "caption", "album", "rich"]
"""What an edit must know: how the words are held. An album has no buttons."""
_WRITTEN = re.compile(r"(text|caption|album|rich)/(-?\d{1,16})/(\d{1,10})", re.ASCII)
assert set(get_args(Kind)) == {"text", "caption", "album", "rich"}  # noqa: S101 - the pattern above names them all


@dataclass(frozen=True, slots=True)
class Posted:
    """A message of ours."""

    kind: Kind
    chat: int
    message: int

    @classmethod
    def parse(cls, text: MessageId) -> Posted | None:
        """None: no message of ours."""
        found = _WRITTEN.fullmatch(text)
        if found is None:
            return None
        kind: Kind = found[1]  # type: ignore[assignment]  # the pattern has the kinds only
        return cls(kind, int(found[2]), int(found[3]))

    @property
    def id(self) -> MessageId:
        return MessageId(f"{self.kind}/{self.chat}/{self.message}")


def all_of(messages: Iterable[MessageId]) -> tuple[Posted, ...]:
    """Those that are ours to read, in their order."""
    return tuple(found for one in messages if (found := Posted.parse(one)))
