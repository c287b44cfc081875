"""What Matrix's messages are called in the store: ``text !room $event``, and ``picture …`` for each of its pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from relay.kit import MessageIds
from relay.model import MessageId

Kind = Literal["text", "picture"]
_IDS = MessageIds("{kind} {room} {event}", kind="|".join(get_args(Kind)), room=r"!\S{1,254}", event=r"\$\S{1,254}")


@dataclass(frozen=True, slots=True)
class MatrixMessage:
    """A message of ours."""

    kind: Kind
    room: str
    event: str

    @classmethod
    def parse(cls, text: MessageId) -> MatrixMessage | None:
        """None: no message of ours."""
        if (found := _IDS.read(text)) is None:
            return None
        kind: Kind = found["kind"]  # type: ignore[assignment]  # the pattern has the kinds only
        return cls(kind, found["room"], found["event"])

    @property
    def id(self) -> MessageId:
        return _IDS.write(kind=self.kind, room=self.room, event=self.event)
